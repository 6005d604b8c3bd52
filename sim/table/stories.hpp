// Contentions that begin with a script: schedules that random search doesn't find, one for each rule that only such a schedule needs.
#pragma once

#include "sim/table/scenarios_table.hpp"

namespace tenure::sim::stories {

Contention head_dies_when_poked();            // Q3: read_word_last
Contention key_in_a_store_buffer();           // fence_dequeue
Contention stopped_reader_of_a_dead_queue();  // Q5: recheck_predecessor
Contention stranger_in_the_slot();            // Q6: bell_by_generation
Contention breaker_who_dies();                // poke_head_if_free
Contention flag_cleared_by_the_dead();        // recovery_ignores_flag

}  // namespace tenure::sim::stories
