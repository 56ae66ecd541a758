// Memory that is kept for what comes next: free lists, and what is known of earlier
// requests. Each is bounded, and given back by two rules: what a period has no use for
// goes when it is over, and all goes after a burst, since a few objects of the time of
// the burst keep whole pages and arenas of it.
//
// Whoever keeps such memory says so to the loop (Loop::add_keeper), whose timer for it
// runs only while anybody keeps some: an idle process is not woken.
#pragma once

#include "base/intrusive_list.h"

namespace celadon::loop {

class Keeper : public ListHook<Keeper> {
 public:
  virtual ~Keeper() = default;
  [[nodiscard]] virtual bool keeps_memory() const noexcept = 0;
  // Since the last call.
  virtual void give_back_unused() noexcept = 0;
  virtual void give_back_all() noexcept = 0;
};

}  // namespace celadon::loop
