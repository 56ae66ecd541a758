// The blocks of 16 KiB in which CPython keeps frames that fit nowhere else.
//
// A call at the depth where one block ends maps the next, and unmaps it when it
// returns: 8 µs in place of 33 ns. And a signal that comes with that unmap may find a
// thread whose innermost frame lies in memory that is gone: a handler that walks
// frames, as faulthandler's does, ends the process. So blocks that are given back are
// kept for the next call, the last one in any case.
#pragma once

namespace celadon::py {

// From now on, in the whole process.
void keep_stack_chunks() noexcept;

}  // namespace celadon::py
