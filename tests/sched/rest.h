/* SPDX-License-Identifier: MIT */
/*
 * rest.h - is it over? A wait for what can no longer come fails at once and not after 20 s. Told by
 * the runtime's own counts and never by time: on a slow machine who waits for a CPU is not taken for
 * asleep. What cannot be told is "not over", and the wait goes on. For a goroutine's own waits, and for
 * foreign threads where it says so; not with sched.lock held.
 *
 * Under sched.lock nobody takes a P or an M from the idle lists: what is counted there is true at one
 * moment, and who is idle stays so until somebody who is not wakes him.
 */
#ifndef TEST_REST_H
#define TEST_REST_H

#include "runtime_test.h"

#include "../../runtime/lock.h"
#include "../../runtime/mset.h"
#include "../../runtime/pset.h"
#include "../../runtime/sched.h"

/* Ms asleep in the netpoller, or back from it with nothing but what the kernel told them. */
static inline i64 ms_polling(void)
{
	u32 n = __atomic_load_n(&sched.allm_len, __ATOMIC_ACQUIRE);
	i64 found = 0;

	for (u32 i = 0; i < n; i++)
		found += __atomic_load_n(&allm[i]->status, __ATOMIC_ACQUIRE) == GRT_M_POLLING;
	return found;
}

/* Ms that are neither idle nor sysmon. sched.lock held. */
static inline i64 ms_awake(void)
{
	return mset_count() - (i64)sched.nmidle - sched.nmsys;
}

static inline bool all_gs_wait_but(const struct g *self)
{
	u64 n = __atomic_load_n(&sched.allg_len, __ATOMIC_ACQUIRE);

	for (u64 i = 0; i < n; i++) {
		u32 status = __atomic_load_n(&allgs[i]->status, __ATOMIC_ACQUIRE);

		if (allgs[i] != self && status != GRT_G_WAITING && status != GRT_G_DEAD)
			return false;
	}
	return true;
}

/*
 * Every other goroutine waits or has ended, and no M is on its way to one: but for the kernel, a
 * timer and foreign threads, only the goroutine that asks can wake another.
 */
static inline bool only_i_can_wake(void)
{
	bool ret;

	lock_acquire(&sched.lock);
	ret = sched_npidle() + 1 == sched.gomaxprocs && ms_awake() - ms_polling() == 1 &&
	      all_gs_wait_but(sched_self());
	lock_release(&sched.lock);
	return ret;
}

/*
 * For a foreign thread, while `in_foreign_code` Ms do nothing but run code that is not the runtime's:
 * all Ps and all other Ms are idle, and sysmon sleeps until a P is not. Then nobody looks for work;
 * *ret_spinning is how many are said to.
 */
static inline bool nobody_is_awake_but(i64 in_foreign_code, u32 *ret_spinning)
{
	bool ret;

	lock_acquire(&sched.lock);
	ret = sched_npidle() == sched.gomaxprocs && sched.sysmonwait != 0 &&
	      ms_awake() == in_foreign_code;
	*ret_spinning = sched_nmspinning();
	lock_release(&sched.lock);
	return ret;
}

/*
 * AWAIT_OR for what this goroutine's own calls have brought about, and neither the kernel nor a timer
 * nor a foreign thread: over as soon as nobody but it could go on.
 */
#define AWAIT_MINE_OR(cond, ...)                                    \
	do {                                                        \
		AWAIT_OR((cond) || only_i_can_wake(), __VA_ARGS__); \
		if (!(cond)) /* it may have come before the rest */ \
			await_failed();                             \
		EXPECT(cond, __VA_ARGS__);                          \
	} while (0)

#endif
