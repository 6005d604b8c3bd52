// The algorithms of core/ on the simulated platform, compiled once.
#include "core/leases.inl.hpp"
#include "core/names.inl.hpp"
#include "core/sessions.inl.hpp"
#include "core/table.inl.hpp"
#include "sim/table/sim_platform.hpp"

template class tenure::core::Table<tenure::sim::SimPlatform>;
template class tenure::core::Leases<tenure::sim::SimPlatform>;
template class tenure::core::Sessions<tenure::sim::SimPlatform>;
template class tenure::core::Names<tenure::sim::SimPlatform>;
