#pragma once

// EventLog: a file to which the processes of a program under test say what has
// happened, a line each, and whole: so their order is the order of the events.

#include <string>

namespace brigade::test {

// "PID EVENT", in the file that the environment names as EVENT_LOG; nowhere
// when it names none.
void note(const std::string& event);

// The line as it is, in that file; nowhere when that is empty. Aborts when it
// cannot be written: a test that finds no line is to know that there was none.
void noteIn(const std::string& file, const std::string& line);

}  // namespace brigade::test
