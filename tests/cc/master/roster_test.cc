#include "master/roster.h"

#include <gtest/gtest.h>

#include <csignal>

namespace celadon::master {
namespace {

using Kind = Step::Kind;

// Does what the roster asks for, as the master does.
class RosterTest : public testing::Test {
 protected:
  void settle() {
    for (Step step = roster.next(now); step.kind != Kind::Nothing;
         step = roster.next(now)) {
      if (step.kind == Kind::Spawn) roster.spawned(next_pid++, step.slot, now);
      if (step.kind == Kind::Retire) retired.push_back(step.pid);
      if (step.kind == Kind::Kill) killed.push_back(step.pid);
    }
  }
  void ready_all() {
    for (const WorkerProcess& worker : std::vector(roster.workers())) {
      if (worker.phase == Phase::Booting) roster.ready(worker.pid);
    }
  }
  void start() {
    settle();
    ready_all();
  }
  Ended end(pid_t pid, Exit how = {0, false}) {
    const Ended ended = roster.ended(pid, how, now);
    settle();
    return ended;
  }
  [[nodiscard]] int in_phase(Phase phase) const {
    int count = 0;
    for (const WorkerProcess& worker : roster.workers()) count += worker.phase == phase;
    return count;
  }
  [[nodiscard]] std::vector<int> slots() const {
    std::vector<int> found;
    for (const WorkerProcess& worker : roster.workers()) found.push_back(worker.slot);
    return found;
  }

  Limits limits;
  Roster roster{3, limits};
  Nanos now = 1000 * kSecond;
  pid_t next_pid = 100;
  std::vector<pid_t> retired;
  std::vector<pid_t> killed;
};

TEST_F(RosterTest, SpawnsAsManyAsWantedEachInASlotOfItsOwn) {
  start();
  EXPECT_EQ(slots(), (std::vector{0, 1, 2}));
  EXPECT_EQ(in_phase(Phase::Ready), 3);
  EXPECT_EQ(roster.due(), kNever);
}

TEST_F(RosterTest, TakesTheSlotOfOneThatWasKilledAtOnce) {
  start();
  EXPECT_EQ(end(101, {SIGKILL, true}), Ended::Lost);
  EXPECT_EQ(slots(), (std::vector{0, 2, 1}));
  EXPECT_EQ(in_phase(Phase::Booting), 1);
}

TEST_F(RosterTest, MoreAndFewer) {
  start();
  roster.resize(4);
  start();
  EXPECT_EQ(in_phase(Phase::Ready), 4);
  roster.resize(2);
  settle();
  EXPECT_EQ(retired, (std::vector<pid_t>{100, 101}));
  EXPECT_EQ(end(100), Ended::Planned);
  EXPECT_EQ(in_phase(Phase::Ready), 2);
  EXPECT_EQ(in_phase(Phase::Booting), 0);
}

TEST_F(RosterTest, LaterBootsThatFailPauseTwiceAsLongEachTime) {
  start();
  EXPECT_EQ(end(101, {SIGKILL, true}), Ended::Lost);
  Nanos pause = limits.backoff;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(end(roster.workers().back().pid, {1, false}), Ended::Lost);
    EXPECT_EQ(in_phase(Phase::Booting), 0);
    EXPECT_EQ(roster.due(), now + pause);
    now = roster.due();
    settle();
    EXPECT_EQ(in_phase(Phase::Booting), 1);
    pause = std::min(2 * pause, limits.backoff_max);
  }
}

TEST_F(RosterTest, ThreeShortLivesInARowPause) {
  start();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(end(roster.workers().back().pid, {SIGSEGV, true}), Ended::Lost);
    EXPECT_EQ(in_phase(Phase::Booting), 1);
    ready_all();
  }
  EXPECT_EQ(end(roster.workers().back().pid, {SIGSEGV, true}), Ended::Lost);
  EXPECT_EQ(in_phase(Phase::Booting), 0);
  EXPECT_EQ(roster.due(), now + limits.backoff);
}

TEST_F(RosterTest, AHealthyMinuteForgetsShortLives) {
  start();
  for (int i = 0; i < 10; ++i) {
    now += 61 * kSecond;
    EXPECT_EQ(end(roster.workers().back().pid, {SIGSEGV, true}), Ended::Lost);
    EXPECT_EQ(in_phase(Phase::Booting), 1);
    ready_all();
  }
}

TEST_F(RosterTest, AReloadReplacesOneByOne) {
  start();
  roster.reload();
  for (pid_t old = 100; old < 103; ++old) {
    settle();
    EXPECT_EQ(in_phase(Phase::Ready) + in_phase(Phase::Booting), 4);
    EXPECT_EQ(in_phase(Phase::Booting), 1);
    EXPECT_EQ(retired.size(), static_cast<std::size_t>(old - 100));
    ready_all();
    settle();
    EXPECT_EQ(retired.back(), old);
    EXPECT_GE(in_phase(Phase::Ready), 3);
  }
  EXPECT_FALSE(roster.reloading());
  for (pid_t old = 100; old < 103; ++old) EXPECT_EQ(end(old), Ended::Planned);
  EXPECT_EQ(in_phase(Phase::Ready), 3);
}

TEST_F(RosterTest, AReloadWhoseWorkersDoNotBootKeepsTheOldOnes) {
  start();
  roster.reload();
  settle();
  EXPECT_EQ(end(103, {4, false}), Ended::Lost);
  EXPECT_TRUE(roster.take_failed_reload());
  EXPECT_FALSE(roster.take_failed_reload());
  now += 100 * kSecond;
  settle();
  EXPECT_EQ(in_phase(Phase::Ready), 3);
  EXPECT_EQ(in_phase(Phase::Booting), 0);
  EXPECT_TRUE(retired.empty());
  // One of them that dies is replaced all the same.
  EXPECT_EQ(end(100, {SIGKILL, true}), Ended::Lost);
  EXPECT_EQ(in_phase(Phase::Booting), 1);
}

TEST_F(RosterTest, S35EachFirstBootCountsForItself) {
  settle();
  EXPECT_EQ(end(100, {1, false}), Ended::Lost);
  EXPECT_EQ(end(102, {1, false}), Ended::Lost);
  now += 100 * kSecond;
  settle();
  EXPECT_EQ(in_phase(Phase::Booting), 1);  // nobody is made again while it is open
  ready_all();
  settle();
  EXPECT_EQ(in_phase(Phase::Booting), 2);
  ready_all();
  EXPECT_EQ(in_phase(Phase::Ready), 3);
}

TEST_F(RosterTest, S35WhereAllFirstBootsFailItEnds) {
  settle();
  EXPECT_EQ(end(101, {4, false}), Ended::Lost);
  EXPECT_EQ(end(100, {4, false}), Ended::Lost);
  EXPECT_EQ(end(102, {4, false}), Ended::BootFailed);
}

TEST_F(RosterTest, S04WhatAReloadHasMadeIsReplacedWhereItFailsLater) {
  start();
  roster.reload();
  settle();
  ready_all();  // 103 serves, 100 is retired
  settle();
  ASSERT_EQ(retired, std::vector{pid_t{100}});
  EXPECT_EQ(end(104, {1, false}), Ended::Lost);
  EXPECT_TRUE(roster.take_failed_reload());
  EXPECT_TRUE(roster.undoing());
  // 101 and 102 are current again; until somebody has its place 103 serves on, and who
  // fails in that place is followed by another one.
  now += 100 * kSecond;
  settle();
  EXPECT_EQ(in_phase(Phase::Booting), 1);
  EXPECT_EQ(end(105, {1, false}), Ended::Lost);
  EXPECT_FALSE(roster.take_failed_reload());
  now += 100 * kSecond;
  settle();
  EXPECT_EQ(in_phase(Phase::Booting), 1);
  EXPECT_EQ(retired, std::vector{pid_t{100}});
  ready_all();
  settle();
  EXPECT_EQ(retired, (std::vector{pid_t{100}, pid_t{103}}));
  EXPECT_EQ(in_phase(Phase::Ready), 3);
  EXPECT_FALSE(roster.undoing());
  EXPECT_TRUE(roster.settled());
}

TEST_F(RosterTest, S04AReloadFailsWhereNoWorkerCanBeMade) {
  start();
  roster.not_spawned(3, now);
  EXPECT_FALSE(roster.take_failed_reload());
  roster.reload();
  EXPECT_EQ(roster.next(now).kind, Kind::Spawn);
  roster.not_spawned(3, now);
  EXPECT_TRUE(roster.take_failed_reload());
  settle();
  EXPECT_TRUE(retired.empty());
  EXPECT_EQ(in_phase(Phase::Ready), 3);
  EXPECT_EQ(in_phase(Phase::Booting), 0);
}

TEST_F(RosterTest, S04AReloadFailsAlsoWhereNoOldOneIsLeft) {
  start();
  roster.reload();
  settle();
  for (const pid_t old : {100, 101, 102}) {
    EXPECT_EQ(roster.ended(old, {SIGKILL, true}, now), Ended::Lost);
  }
  EXPECT_EQ(roster.ended(103, {1, false}, now), Ended::Lost);
  EXPECT_TRUE(roster.take_failed_reload());
  EXPECT_TRUE(roster.undoing());
}

TEST_F(RosterTest, AnOldOneThatDiesInAReloadIsReplacedByANewOne) {
  start();
  roster.reload();
  settle();
  EXPECT_EQ(end(101, {SIGKILL, true}), Ended::Lost);
  EXPECT_EQ(in_phase(Phase::Booting), 2);
}

TEST_F(RosterTest, TwoReloadsInARow) {
  start();
  roster.reload();
  settle();
  roster.reload();
  for (int i = 0; i < 20; ++i) {
    settle();
    ready_all();
  }
  EXPECT_FALSE(roster.reloading());
  EXPECT_EQ(in_phase(Phase::Ready), 3);
  for (const pid_t pid : {100, 101, 102, 103}) {
    EXPECT_EQ(std::count(retired.begin(), retired.end(), pid), 1) << pid;
  }
}

TEST_F(RosterTest, WhoDoesNotBootInTimeIsKilled) {
  start();
  EXPECT_EQ(end(101, {SIGKILL, true}), Ended::Lost);
  EXPECT_EQ(roster.due(), now + limits.startup_timeout);
  now += limits.startup_timeout;
  settle();
  EXPECT_EQ(killed, (std::vector<pid_t>{103}));
  EXPECT_EQ(roster.due(), kNever);
}

TEST_F(RosterTest, WhoDoesNotEndInTimeIsKilled) {
  start();
  roster.stop(now);
  settle();
  EXPECT_EQ(retired.size(), 3);
  now += limits.graceful_timeout;
  settle();
  EXPECT_TRUE(killed.empty());
  now = roster.due();
  settle();
  EXPECT_EQ(killed.size(), 3);
}

TEST_F(RosterTest, AQuickStopShortensASlowOne) {
  start();
  roster.stop(now);
  settle();
  roster.stop(now);
  settle();
  EXPECT_EQ(roster.due(), now + 2 * kSecond);
  EXPECT_EQ(end(100), Ended::Planned);
  EXPECT_EQ(in_phase(Phase::Booting), 0);
}

TEST_F(RosterTest, NobodyIsSpawnedWhileItStops) {
  settle();
  roster.stop(now);
  settle();
  EXPECT_EQ(retired.size(), 3);
  for (const pid_t pid : {100, 101, 102}) EXPECT_EQ(end(pid), Ended::Planned);
  EXPECT_TRUE(roster.workers().empty());
}

TEST_F(RosterTest, OthersAreNotWorkers) {
  start();
  EXPECT_EQ(end(7), Ended::Unknown);
  EXPECT_FALSE(roster.ready(7));
}

TEST_F(RosterTest, WhoStillBootsGoesBeforeWhoServes) {
  start();
  roster.resize(4);
  settle();
  EXPECT_EQ(in_phase(Phase::Booting), 1);
  roster.resize(3);
  settle();
  EXPECT_EQ(retired, std::vector{pid_t{103}});
  EXPECT_EQ(in_phase(Phase::Ready), 3);
}

TEST_F(RosterTest, ARecycledOneServesUntilAnotherIsReady) {
  start();
  EXPECT_TRUE(roster.recycle(101, Why::Requests));
  EXPECT_FALSE(roster.recycle(101, Why::Requests));  // it is on its way
  EXPECT_TRUE(roster.recycle(100, Why::Requests));
  settle();
  EXPECT_EQ(in_phase(Phase::Booting), 1);  // one at a time
  EXPECT_TRUE(retired.empty());
  ready_all();
  settle();
  EXPECT_EQ(retired.size(), 1U);
  EXPECT_EQ(end(retired[0]), Ended::Planned);
  ready_all();
  settle();
  EXPECT_EQ(retired.size(), 2U);
  EXPECT_EQ(end(retired[1]), Ended::Planned);
  EXPECT_EQ(in_phase(Phase::Ready), 3);
  EXPECT_FALSE(roster.reloading());
}

TEST_F(RosterTest, WithoutASuccessorARecycledOneStays) {
  start();
  EXPECT_TRUE(roster.recycle(100, Why::Requests));
  settle();
  EXPECT_EQ(end(103, {4, false}), Ended::Lost);
  EXPECT_TRUE(roster.take_failed_reload());
  EXPECT_TRUE(retired.empty());
  EXPECT_EQ(in_phase(Phase::Ready), 3);
  EXPECT_TRUE(roster.recycle(100, Why::Requests));  // it asks again
}

TEST_F(RosterTest, WhoEndsNowIsReplacedAtOnce) {
  start();
  roster.retire_now(101, 5 * kSecond, now);
  settle();
  EXPECT_EQ(in_phase(Phase::Booting), 1);
  now += 5 * kSecond;
  settle();
  EXPECT_EQ(killed, std::vector{pid_t{101}});
  EXPECT_EQ(end(101, {SIGKILL, true}), Ended::Planned);
}

TEST_F(RosterTest, WhoIsDoomedIsKilledSoon) {
  start();
  roster.doom(102, now);
  EXPECT_LE(roster.due(), now + 2 * kSecond);
  now += 2 * kSecond;
  settle();
  EXPECT_EQ(killed, std::vector{pid_t{102}});
  EXPECT_EQ(end(102, {SIGKILL, true}), Ended::Lost);
  EXPECT_EQ(in_phase(Phase::Booting), 1);
}

TEST(RosterLifetimeTest, TheOldGoOneByOne) {
  Nanos now = 1000 * kSecond;
  Roster roster(1, {.max_lifetime = 60 * kSecond, .max_lifetime_jitter = 5 * kSecond});
  roster.spawned(7, 0, now);
  roster.ready(7);
  EXPECT_GE(roster.due(), now + 60 * kSecond);
  EXPECT_LE(roster.due(), now + 65 * kSecond);
  now = roster.due();
  EXPECT_EQ(roster.next(now).kind, Kind::Spawn);
}

TEST(RosterSlotsTest, ThereAreNoMoreThanPlaces) {
  Roster roster(5, {.slots = 2});
  for (int i = 0; i < 2; ++i) {
    const Step step = roster.next(0);
    ASSERT_EQ(step.kind, Kind::Spawn);
    roster.spawned(100 + i, step.slot, 0);
  }
  EXPECT_EQ(roster.next(0).kind, Kind::Nothing);
  EXPECT_EQ(roster.due(), 60 * kSecond);  // startup_timeout
}

}  // namespace
}  // namespace celadon::master
