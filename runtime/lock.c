/* SPDX-License-Identifier: MIT */
/*
 * lock.c - see lock.h.
 *
 * lock: 0 free, 1 held, 2 held and somebody may sleep. A contender spins briefly (critical sections
 * are tens of instructions), then marks the word 2 and sleeps; the holder that finds 2 wakes one.
 * Acquire of the word pairs with its release in lock_release. A process with one P and one CPU gains
 * nothing by spinning, but loses little: LOCK_SPINS is well below a futex call.
 */
#include "lock.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fatal.h"

#define NS_PER_S 1000000000ll

static void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

/* Neither touches errno: they run between a goroutine's call and its look at errno. */
static long futex_wait(u32 *word, u32 value, const struct timespec *timeout)
{
	int saved = *__errno_location();
	long r = syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, timeout, NULL, 0);

	*__errno_location() = saved;
	return r;
}

static void futex_wake_one(u32 *word)
{
	int saved = *__errno_location();

	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	*__errno_location() = saved;
}

void lock_init(struct lock *l, enum lock_rank rank)
{
	l->word = 0;
	(void)rank;
#ifdef GRT_DEBUG
	l->rank = rank;
	l->holder = NULL;
#endif
}

static bool try_word(u32 *word)
{
	u32 free = 0;

	return __atomic_compare_exchange_n(word, &free, 1, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static void acquire_slow(u32 *word)
{
	for (int i = 0; i < LOCK_SPINS; i++) {
		if (__atomic_load_n(word, __ATOMIC_RELAXED) == 0 && try_word(word))
			return;
		cpu_relax();
	}
	while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0)
		futex_wait(word, 2, NULL);
}

void lock_word_acquire(u32 *word)
{
	struct m *m = m_self();

	if (!try_word(word))
		acquire_slow(word);
	if (m)
		m->nlocks++;
}

void lock_word_release(u32 *word)
{
	struct m *m = m_self();

	if (m)
		m->nlocks--;
	if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2)
		futex_wake_one(word);
}

#ifdef GRT_DEBUG
/* Ranks this thread holds, one bit each; a lock may only be acquired above all of them. */
static __thread u32 ranks_held __attribute__((tls_model("initial-exec")));

static void rank_acquired(struct lock *l)
{
	if (l->rank == 0)
		return;
	MUST(ranks_held >> l->rank == 0, "lock of rank %u acquired while 0x%x are held", l->rank,
	     ranks_held);
	ranks_held |= 1u << l->rank;
	__atomic_store_n(&l->holder, &ranks_held, __ATOMIC_RELAXED);
}

static void rank_released(struct lock *l)
{
	if (l->rank == 0)
		return;
	ranks_held &= ~(1u << l->rank);
	__atomic_store_n(&l->holder, NULL, __ATOMIC_RELAXED);
}
#else
#define rank_acquired(l) ((void)(l))
#define rank_released(l) ((void)(l))
#endif

void lock_acquire(struct lock *l)
{
	lock_word_acquire(&l->word);
	rank_acquired(l);
}

void lock_release(struct lock *l)
{
	rank_released(l);
	lock_word_release(&l->word);
}

bool lock_is_held(const struct lock *l)
{
#ifdef GRT_DEBUG
	if (l->rank != 0)
		return __atomic_load_n(&l->holder, __ATOMIC_RELAXED) == &ranks_held;
#endif
	return __atomic_load_n(&l->word, __ATOMIC_RELAXED) != 0;
}

void note_clear(struct note *n)
{
	__atomic_store_n(&n->word, 0, __ATOMIC_RELEASE);
}

/* The release pairs with the acquire in the sleeper: it sees what was written before the wake. */
void note_wake(struct note *n)
{
	MUST(__atomic_exchange_n(&n->word, 1, __ATOMIC_RELEASE) == 0, "note_wake: double wake-up");
	futex_wake_one(&n->word);
}

static bool is_signalled(const struct note *n)
{
	return __atomic_load_n(&n->word, __ATOMIC_ACQUIRE) != 0;
}

void note_sleep(struct note *n)
{
	while (!is_signalled(n))
		futex_wait(&n->word, 0, NULL);
}

bool note_sleep_for(struct note *n, i64 timeout_ns)
{
	i64 end = clock_ns() + timeout_ns;

	while (!is_signalled(n)) {
		i64 left = end - clock_ns();
		struct timespec ts = { left / NS_PER_S, left % NS_PER_S };

		if (left <= 0)
			return false;
		futex_wait(&n->word, 0, &ts);
	}
	return true;
}

i64 clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (i64)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}
