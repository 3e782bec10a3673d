/* SPDX-License-Identifier: MIT */
/*
 * mem.c - the target's memory in bulk, by process_vm_readv: 1,024 places a call and no stop of the
 * target. Where that call is refused by a filter, /proc/PID/mem does the same, one place a call.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mem.h"
#include "proc.h"

#define PLACES_MAX 1024 /* IOV_MAX */

/*
 * Read up to PLACES_MAX places with one call. Returns how many of them, from the first on, are
 * settled: read, or (if *ret_failed) all but the last, which could not be read. The kernel stops at
 * the first byte that it cannot read. n > 0.
 */
static int batch_read(pid_t tid, const struct target_read *r, int n, bool *ret_failed)
{
	struct iovec local[PLACES_MAX], remote[PLACES_MAX];
	ssize_t left;
	int i = 0;

	n = n < PLACES_MAX ? n : PLACES_MAX;
	do {
		local[i] = (struct iovec){ r[i].buf, r[i].bytes };
		remote[i] = (struct iovec){ (void *)(uintptr_t)r[i].addr, r[i].bytes };
	} while (++i < n);
	left = process_vm_readv(tid, local, (unsigned)n, remote, (unsigned)n, 0);
	if (left < 0 && errno != EFAULT)
		return -errno;
	left = left < 0 ? 0 : left;
	for (i = 0; i < n && left >= r[i].bytes; i++)
		left -= r[i].bytes;
	*ret_failed = i < n;
	return i < n ? i + 1 : n;
}

static int file_read_many(pid_t tid, struct target_read *r, int n)
{
	char path[32];
	int fd, good = 0;

	snprintf(path, sizeof(path), "/proc/%d/mem", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	for (int i = 0; i < n; i++) {
		if (pread(fd, r[i].buf, r[i].bytes, (off_t)r[i].addr) == (ssize_t)r[i].bytes)
			good++;
		else
			memset(r[i].buf, 0, r[i].bytes);
	}
	close(fd);
	return good;
}

int mem_read_many(pid_t tid, struct target_read *r, int n)
{
	int good = 0;

	for (int done = 0; done < n;) {
		bool failed = false;
		int some = batch_read(tid, r + done, n - done, &failed);

		if (some == -ENOSYS || some == -EPERM)
			return file_read_many(tid, r, n);
		if (some < 0)
			return some;
		done += some;
		good += some - failed;
		if (failed)
			memset(r[done - 1].buf, 0, r[done - 1].bytes);
	}
	return good;
}

int mem_read(pid_t tid, uint64_t addr, void *buf, uint32_t bytes)
{
	struct target_read r = { addr, buf, bytes };
	int n = mem_read_many(tid, &r, 1);

	return n < 0 ? n : n == 1 ? 0 : -EFAULT;
}

int target_read_many(const struct target *t, struct target_read *r, int n)
{
	int rc = mem_read_many(t->via_tid, r, n);
	pid_t other;

	/* A leader that exits takes its view of the memory with it, not the memory. */
	if (rc != -ESRCH || !target_is_alive(t))
		return rc;
	other = proc_live_thread(t->pid);
	return other ? mem_read_many(other, r, n) : -ESRCH;
}

/* One byte of a site is enough: the kernel arms it with int3 there. */
int target_read_armed(const struct target *t, uint64_t *ret_bitmap)
{
	struct target_read r[TARGET_SITES_MAX];
	uint8_t code[TARGET_SITES_MAX];
	int rc, armed = 0;

	*ret_bitmap = 0;
	for (int i = 0; i < t->nsites; i++)
		r[i] = (struct target_read){ t->site[i].addr, &code[i], 1 };
	rc = target_read_many(t, r, t->nsites);
	for (int i = 0; rc >= 0 && i < t->nsites; i++) {
		if (code[i] != 0xcc)
			continue;
		*ret_bitmap |= 1ull << i;
		armed++;
	}
	return rc < 0 ? rc : armed;
}
