#include "py/data_stack.h"

#include <cstdlib>

namespace celadon::py {

// The layout of _PyStackChunk and the meaning of PyThreadState.datastack_* as in
// Python/pystate.c of 3.11 to 3.15: the first slot of a root block is never used, so
// that popping its first frame does not free it.
#if PY_VERSION_HEX < 0x03100000

void DataStack::install(std::size_t bytes) noexcept {
  PyThreadState* thread = PyThreadState_Get();
  if (thread->datastack_chunk) return;
  auto* chunk = static_cast<_PyStackChunk*>(std::malloc(bytes));
  if (!chunk) return;
  chunk->previous = nullptr;
  chunk->size = bytes;
  chunk->top = 0;
  thread->datastack_chunk = chunk;
  thread->datastack_top = &chunk->data[1];
  thread->datastack_limit =
      reinterpret_cast<PyObject**>(reinterpret_cast<char*>(chunk) + bytes);
  chunk_ = chunk;
}

// CPython notes how full a block was when it adds another one.
bool DataStack::outgrown() const noexcept {
  return chunk_ && chunk_->top != 0;
}

std::size_t DataStack::size() const noexcept {
  return chunk_ ? chunk_->size : 0;
}

void DataStack::remove() noexcept {
  PyThreadState* thread = PyThreadState_Get();
  if (!chunk_ || thread->datastack_chunk != chunk_) return;
  thread->datastack_chunk = nullptr;
  thread->datastack_top = thread->datastack_limit = nullptr;
  std::free(chunk_);
  chunk_ = nullptr;
}

#else

void DataStack::install(std::size_t) noexcept {}
bool DataStack::outgrown() const noexcept {
  return false;
}
std::size_t DataStack::size() const noexcept {
  return 0;
}
void DataStack::remove() noexcept {}

#endif

}  // namespace celadon::py
