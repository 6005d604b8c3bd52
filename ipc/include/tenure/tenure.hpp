// Tenure: named leases for the processes of a host. This header includes all the others.
#pragma once

#include <tenure/lease.hpp>
#include <tenure/mutex.hpp>
#include <tenure/result.hpp>
#include <tenure/space.hpp>
#include <tenure/types.hpp>
#include <tenure/version.hpp>
