// A std::unique_lock over a name: two processes count to 20,000 together in one shared file.
#include <sys/wait.h>
#include <unistd.h>
#include <tenure/tenure.hpp>

#include <cstdio>
#include <mutex>
#include <string>

namespace {

void count(tenure::Space& space, const std::string& file, int rounds) {
  tenure::Mutex mutex(space, "counters/visits");
  for (int i = 0; i < rounds; ++i) {
    std::unique_lock lock(mutex);
    std::FILE* stream = std::fopen(file.c_str(), "r+");
    int value = 0;
    if (std::fscanf(stream, "%d", &value) != 1) value = 0;
    std::rewind(stream);
    std::fprintf(stream, "%d\n", value + 1);
    std::fclose(stream);
  }
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count < 2) return 64;
  const std::string file = std::string(arguments[1]) + "/count";
  if (std::FILE* stream = std::fopen(file.c_str(), "w")) std::fclose(stream);
  tenure::Space::Options options;
  options.name = arguments[1];
  auto space = tenure::Space::open(options);
  if (!space) return 1;
  const pid_t child = fork();
  count(*space, file, 10'000);  // the child's first acquisition registers it as a session of its own
  if (child == 0) return 0;
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) return 1;
  int value = 0;
  std::FILE* stream = std::fopen(file.c_str(), "r");
  if (stream == nullptr || std::fscanf(stream, "%d", &value) != 1) return 1;
  std::fclose(stream);
  std::printf("counted to %d\n", value);
  return value == 20'000 ? 0 : 1;
}
