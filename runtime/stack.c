/* SPDX-License-Identifier: MIT */
/*
 * stack.c - see stack.h.
 *
 *   mapping   [guard | usable][guard | usable] ...      one VMA (and, with mprotect, two per stack)
 *
 * MADV_GUARD_INSTALL (Linux 6.13) marks the pages of a guard in the page table: no VMA, so that a
 * million stacks are possible. Emulators accept the call and guard nothing: it is believed only
 * after a system call that wrote into a guard has returned EFAULT. Otherwise mprotect, which ends
 * at vm.max_map_count, about 32,000 stacks; that is said once.
 *
 * The guard is as large as the default stack: a single frame of 64 KiB still meets it. A larger
 * frame needs -fstack-clash-protection.
 *
 * Rejected: growing stacks by copying (C has pointers into them); no guard but a canary (found too
 * late, after the damage).
 */
#include "stack.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fatal.h"
#include "lock.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#define PAGE 4096ul
#define CHUNK_BYTES (64ul << 20)

static struct {
	struct lock lock;
	char *at, *end; /* L  what of the newest mapping is not carved yet */
	size_t usable;  /* I */
	size_t guard;   /* I */
	bool is_cheap;  /* I */
} carve;

/* Does a guard guard? A system call that stores there must fail, and nobody must die. */
static bool guard_is_proven(void)
{
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool proven = false;
	int zero;

	if (page == MAP_FAILED)
		return false;
	zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (zero >= 0 && madvise(page, PAGE, MADV_GUARD_INSTALL) == 0)
		proven = read(zero, page, 1) == -1 && errno == EFAULT;
	if (zero >= 0)
		close(zero);
	munmap(page, PAGE);
	return proven;
}

void stack_init(size_t usable_bytes)
{
	lock_init(&carve.lock, RANK_STACK);
	carve.usable = usable_bytes ? (usable_bytes + PAGE - 1) & ~(PAGE - 1) : STACK_SIZE;
	carve.guard = STACK_GUARD;
	carve.is_cheap = guard_is_proven();
}

size_t stack_usable(void)
{
	return carve.usable;
}

bool stack_guard_is_cheap(void)
{
	return carve.is_cheap;
}

/* A new mapping to carve from. lock held. */
static bool chunk_new(void)
{
	size_t stride = carve.guard + carve.usable;
	size_t bytes = stride > CHUNK_BYTES ? stride : CHUNK_BYTES / stride * stride;
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return false;
	/* A huge page would make every stack of the chunk resident at once. */
	madvise(p, bytes, MADV_NOHUGEPAGE);
	carve.at = p;
	carve.end = p + bytes;
	return true;
}

static bool guard_install(char *at)
{
	static bool was_said;

	/* A program that has locked its memory gets EINVAL, whatever was proven at start. */
	if (carve.is_cheap && madvise(at, carve.guard, MADV_GUARD_INSTALL) == 0)
		return true;
	if (!__atomic_exchange_n(&was_said, true, __ATOMIC_RELAXED)) {
		warn_("runtime: guards of stacks cost a mapping each here (no MADV_GUARD_INSTALL): "
		      "about 32000 goroutines at most");
	}
	return mprotect(at, carve.guard, PROT_NONE) == 0;
}

bool stack_new(struct stack *ret)
{
	size_t stride = carve.guard + carve.usable;
	bool ok = true;
	char *at;

	lock_acquire(&carve.lock);
	if ((size_t)(carve.end - carve.at) < stride)
		ok = chunk_new();
	at = carve.at;
	if (ok)
		carve.at += stride;
	lock_release(&carve.lock);
	if (!ok || !guard_install(at))
		return false;
	ret->lo = at + carve.guard;
	ret->hi = at + stride;
	return true;
}

bool stack_guard_hit(const struct stack *s, const void *addr)
{
	const char *a = addr;

	return a < s->lo && a >= s->lo - STACK_GUARD;
}
