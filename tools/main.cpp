#include <tenure/version.hpp>

#include <cstdio>

int main() { return std::puts(tenure::version()) < 0; }
