// TENURE_API marks what the library exports: everything else is hidden. Headers only, no other use.
#pragma once

#define TENURE_API __attribute__((visibility("default")))
