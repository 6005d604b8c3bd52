#!/bin/bash
# Installs the build into a folder of its own and builds and runs an outsider against it, in an empty folder.
#
# packaging_test.sh WAY, where WAY is
#   find_package   the outsider uses CMake
#   pkg_config     the outsider calls the compiler with what pkg-config says
#   moved          as pkg_config, after the installed tree was moved
#   shared         the library as a shared object: its name, and that it exports nothing but its own names
#   subproject     the outsider has the whole project inside its own
#   nothing        the outsider finds no installed library, and is told so: the ways above can fail
#   stray          a library that exports a name that is not ours is refused
# From the build: CMAKE, CXX, SOURCE_DIR, BINARY_DIR.
set -euo pipefail

way=$1
here=$SOURCE_DIR/tests/packaging
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
mkdir "$work/consumer" "$work/space"
cp "$here/consumer/main.cpp" "$here/consumer/CMakeLists.txt" "$work/consumer/"
cd "$work/consumer"

install_into() { "$CMAKE" --install "$1" --prefix "$prefix" >"$work/install.log"; }

configure_and_run() { # CMake arguments
  "$CMAKE" -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER="$CXX" "$@" >"$work/configure.log" 2>&1 || {
    cat "$work/configure.log"
    return 1
  }
  "$CMAKE" --build build
  ./build/consumer "$work/space"
}

with_pkg_config() {
  local pc flags
  pc=$(find "$prefix" -name tenure.pc)
  export PKG_CONFIG_PATH=${pc%/*}
  flags=$(pkg-config --static --cflags --libs tenure)
  # The flags are words on purpose.
  # shellcheck disable=SC2086
  "$CXX" -std=c++20 -Wall -Wextra -Werror -o consumer main.cpp $flags
  ./consumer "$work/space"
}

exports_only_its_own() { # LIBRARY: fails when it exports a name outside tenure:: and the C header's tenure_
  local others
  others=$(nm --dynamic --defined-only --extern-only --demangle "$1" | awk '{ $1 = ""; $2 = ""; print }' |
    grep -v -E '^ *((typeinfo|vtable|typeinfo name|VTT|guard variable) for )?tenure(::|_)' || true)
  if [ -n "$others" ]; then
    printf 'exported, and not ours:\n%s\n' "$others"
    return 1
  fi
}

shared_library() {
  "$CMAKE" -S "$SOURCE_DIR" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER="$CXX" \
    -DBUILD_SHARED_LIBS=ON -DTENURE_SIM=OFF -DTENURE_TESTS=OFF -DTENURE_BENCH=OFF >"$work/configure.log"
  "$CMAKE" --build "$work/build"
  install_into "$work/build"
  local library
  library=$(find "$prefix" -name 'libtenure.so')
  readelf --dynamic "$library" | grep -q 'SONAME.*libtenure\.so\.[0-9.]*[0-9]\]'
  exports_only_its_own "$library"
  configure_and_run -DCMAKE_PREFIX_PATH="$prefix"
  LD_LIBRARY_PATH=${library%/*} "$prefix/bin/tenure" --version
}

as_subproject() {
  sed -i "s|^find_package(.*|add_subdirectory($SOURCE_DIR tenure)|" CMakeLists.txt
  configure_and_run
  # Of ours only the library was built: neither the program nor the tests, and no install rules.
  local unwanted
  unwanted=$("$CMAKE" --build build --target help | grep -E '^(install|tenure_program|tenure_sim|.*_test):' || true)
  [ -z "$unwanted" ]
}

case $way in
  find_package)
    install_into "$BINARY_DIR"
    configure_and_run -DCMAKE_PREFIX_PATH="$prefix"
    ;;
  pkg_config)
    install_into "$BINARY_DIR"
    with_pkg_config
    ;;
  moved)
    install_into "$BINARY_DIR"
    mv "$prefix" "$work/elsewhere"
    prefix=$work/elsewhere
    with_pkg_config
    ;;
  shared) shared_library ;;
  subproject) as_subproject ;;
  nothing)
    if configure_and_run -DCMAKE_PREFIX_PATH="$work/none"; then exit 1; fi
    grep -q tenureConfig.cmake "$work/configure.log"
    ;;
  stray)
    echo 'namespace tenure { int ours() { return 0; } } int stray() { return 0; }' | "$CXX" -x c++ -shared -fPIC -o stray.so -
    if exports_only_its_own ./stray.so; then exit 1; fi
    ;;
  *)
    echo "packaging_test.sh: no way named $way" >&2
    exit 64
    ;;
esac
