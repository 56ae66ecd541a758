// Scenarios with WebSockets.
#pragma once

#include "sim/choices.h"
#include "sim/scenario.h"

namespace celadon::sim {

void choose_socket_rules(Choices& c, Rules& r);
// The request opens one.
void make_socket(Choices& c, Request& r);
// It asks for one and must be refused, or asks for none.
void make_bad_socket(Choices& c, Request& r);
// Some servers end while WebSockets are open.
void end_while_it_talks(Choices& c, Scenario& s);
// Its view computes for longer than the answer to a close frame may take, and closes.
void make_late_close(Choices& c, Scenario& s);
// Its messages wait for an application that takes one now and then.
void make_full_inbox(Choices& c, Scenario& s);
// More WebSockets than a poll returns at once have answered while a view held the loop.
void make_talking_crowd(Choices& c, Scenario& s);

}  // namespace celadon::sim
