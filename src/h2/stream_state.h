// What a stream is doing: three small machines.
//
//   Receiving   Head ──► Body ──► Over          what the peer sends: the head of its
//                 └───────────────▲             request, its body, nothing any more
//
//   Sending     Waiting ──► Begun ──► Ended ──► Over
//                 └───────────┴─────────────────▲
//               Waiting: no head of the answer was given.   Begun: it was.   Ended: its
//               end was given, and is on its way.   Over: that has left, or the stream
//               was reset.
//
//   Holder      Codec ──► Server ──► Nobody ──► Gone
//                 └──────────────────▲
//               who knows of it: nobody but us yet, or no more; then its record goes.
//
// A record goes once both directions are Over and the server has released it. Until
// then it counts as a stream, whatever the peer thinks: a request that was cancelled is
// at work until its application has ended (H220, H221).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/machine.h"

namespace celadon::h2 {

enum class Receiving : std::uint8_t { Head, Body, Over };
enum class Sending : std::uint8_t { Waiting, Begun, Ended, Over };
enum class Holder : std::uint8_t { Codec, Server, Nobody, Gone };

inline constexpr Edge<Receiving> kReceivingEdges[]{
    {Receiving::Head, Receiving::Body},  // a body follows
    {Receiving::Head, Receiving::Over},  // none does, or the stream was reset
    {Receiving::Body, Receiving::Over},  // its end came, or likewise
};
inline constexpr Edge<Sending> kSendingEdges[]{
    {Sending::Waiting, Sending::Begun},  // the head was given
    {Sending::Waiting, Sending::Over},   // the stream was reset
    {Sending::Begun, Sending::Ended},    // the end was given
    {Sending::Begun, Sending::Over},     // the stream was reset
    {Sending::Ended, Sending::Over},     // likewise, or it has left
};
inline constexpr Edge<Holder> kHolderEdges[]{
    {Holder::Codec, Holder::Server},   // it is a request
    {Holder::Codec, Holder::Nobody},   // it is none
    {Holder::Server, Holder::Nobody},  // it was released
    {Holder::Nobody, Holder::Gone},    // and is over
};
inline constexpr auto kReceivingTable = make_edges<Receiving, 3>(kReceivingEdges);
inline constexpr auto kSendingTable = make_edges<Sending, 4>(kSendingEdges);
inline constexpr auto kHolderTable = make_edges<Holder, 4>(kHolderEdges);
static_assert(kReceivingTable.is_whole(Receiving::Over));
static_assert(kSendingTable.is_whole(Sending::Over));
static_assert(kHolderTable.is_whole(Holder::Gone));

}  // namespace celadon::h2
