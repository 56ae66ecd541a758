// Doubly linked list whose links live in its members. A member can leave from any
// list in O(1) without knowing which; a destroyed member leaves by itself. Tag lets a
// type be in several lists at a time.
#pragma once

#include <cstddef>

namespace celadon {

template <class Tag>
class ListHook {
 public:
  ListHook() noexcept = default;
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;
  ~ListHook() { unlink(); }

  [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }

  void unlink() noexcept {
    if (!next_) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    prev_ = next_ = nullptr;
  }

 private:
  template <class T, class G>
  friend class IntrusiveList;
  ListHook* prev_ = nullptr;
  ListHook* next_ = nullptr;
};

template <class T, class Tag = T>
class IntrusiveList {
  using Hook = ListHook<Tag>;

 public:
  IntrusiveList() noexcept { root_.prev_ = root_.next_ = &root_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    clear();
    root_.prev_ = root_.next_ = nullptr;
  }

  [[nodiscard]] bool empty() const noexcept { return root_.next_ == &root_; }
  [[nodiscard]] T* front() const noexcept {
    return empty() ? nullptr : cast(root_.next_);
  }
  [[nodiscard]] T* back() const noexcept {
    return empty() ? nullptr : cast(root_.prev_);
  }

  void push_back(T& item) noexcept { insert_before(&root_, &item); }
  void push_front(T& item) noexcept { insert_before(root_.next_, &item); }

  T* pop_front() noexcept {
    T* item = front();
    if (item) static_cast<Hook*>(item)->unlink();
    return item;
  }
  T* pop_back() noexcept {
    T* item = back();
    if (item) static_cast<Hook*>(item)->unlink();
    return item;
  }

  // Moves every member of `from` to the end of this list in O(1).
  void splice_back(IntrusiveList& from) noexcept {
    if (from.empty()) return;
    Hook* first = from.root_.next_;
    Hook* last = from.root_.prev_;
    first->prev_ = root_.prev_;
    root_.prev_->next_ = first;
    last->next_ = &root_;
    root_.prev_ = last;
    from.root_.prev_ = from.root_.next_ = &from.root_;
  }

  // Unlinks all members; they live on.
  void clear() noexcept {
    while (pop_front()) {
    }
  }

  // The member after `item`, or null at the end.
  [[nodiscard]] T* next(T& item) const noexcept {
    Hook* hook = static_cast<Hook&>(item).next_;
    return hook == &root_ ? nullptr : cast(hook);
  }

 private:
  static T* cast(Hook* hook) noexcept { return static_cast<T*>(hook); }
  static void insert_before(Hook* at, Hook* item) noexcept {
    item->unlink();
    item->next_ = at;
    item->prev_ = at->prev_;
    at->prev_->next_ = item;
    at->prev_ = item;
  }
  mutable Hook root_;
};

}  // namespace celadon
