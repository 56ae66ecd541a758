// What surrounds a poll that will really block. The room `py` implements it to give
// the GIL away for that time.
#pragma once

namespace celadon::loop {

class BlockHook {
 public:
  virtual ~BlockHook() = default;
  virtual void before_block() noexcept = 0;
  virtual void after_block() noexcept = 0;
};

}  // namespace celadon::loop
