/* SPDX-License-Identifier: MIT */
/*
 * io.c - grt/io.h: blocking-looking calls on descriptors.
 *
 * A pollable descriptor is non-blocking, so that its call returns at once; it is entered as a call
 * that may block all the same: foreign code may have cleared O_NONBLOCK on a duplicate, which
 * shares the flag, and then the P must not be lost with the thread. The price is two stores and two
 * loads.
 */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "include/grt/io.h"
#include "mset.h"
#include "netpoll.h"
#include "netwait.h"
#include "sched.h"
#include "syscall.h"
#include "take.h"

static long raw(const struct io_call *c)
{
	return call_syscall(c->nr, c->args[0], c->args[1], c->args[2], c->args[3], c->args[4],
			    c->args[5]);
}

static long raw_again(const struct io_call *c)
{
	long r;

	do
		r = raw(c);
	while (r == -EINTR);
	return r;
}

/* A deadline that could not be kept, unless there is no descriptor in the first place. */
static long deadline_refused(int fd)
{
	return call_raw(SYS_fcntl, fd, F_GETFD, 0, 0, 0, 0) < 0 ? -EBADF : -EINVAL;
}

static long io_blocking(const struct io_call *c, i64 deadline_ns)
{
	int fd = (int)c->args[0];

	if (netpoll_is_closing(fd))
		return -EBADF;
	return deadline_ns ? deadline_refused(fd) : raw_again(c);
}

/*
 * The generation is read before the call: what closes the number meanwhile, and perhaps uses it
 * anew, ends this call with -EBADF instead of having it wait for a descriptor that is not its own.
 */
long io_call(const struct io_call *c, i64 deadline_ns)
{
	int fd = (int)c->args[0];
	u64 seq = netpoll_generation(fd);
	bool has_waited = false;
	long r;

	if (!seq)
		return io_blocking(c, deadline_ns);
	while ((r = raw_again(c)) == -EAGAIN && sched_self()) {
		int rc = netwait(fd, seq, c->mode, deadline_ns);

		if (rc < 0)
			return rc;
		has_waited = true;
	}
	if (has_waited)
		netwait_done(fd, c->mode);
	return r > 0 || netpoll_generation(fd) == seq ? r : -EBADF;
}

/* The number is new: foreign code closed its earlier use, and who waits for that shall know. */
static void end_earlier_use(int fd)
{
	u64 seq = netpoll_generation(fd);

	if (seq && netwait_close(fd) == 0)
		netpoll_closed(fd, seq);
}

int grt_openat(int dirfd, const char *path, int flags, mode_t mode)
{
	long r;

	do
		r = call_syscall(SYS_openat, dirfd, (long)path, flags | O_CLOEXEC, mode, 0, 0);
	while (r == -EINTR);
	if (r >= 0)
		end_earlier_use((int)r);
	return (int)r;
}

int grt_open(const char *path, int flags, mode_t mode)
{
	return grt_openat(AT_FDCWD, path, flags, mode);
}

/* Is a thread inside a call on fd? The call word read twice vouches for what was read between. */
static bool is_in_use(int fd)
{
	u32 n = __atomic_load_n(&sched.allm_len, __ATOMIC_ACQUIRE);

	for (u32 i = 0; i < n; i++) {
		u64 call = m_call(allm[i]);

		if (call_word_is_in(call) &&
		    __atomic_load_n(&allm[i]->call_arg, __ATOMIC_ACQUIRE) == (u64)fd &&
		    __atomic_load_n(&allm[i]->call_nr, __ATOMIC_ACQUIRE) >= 0 &&
		    m_call(allm[i]) == call)
			return true;
	}
	return false;
}

/*
 * Foreign code made a socket blocking, and goroutines sleep in the kernel on it: closing the number
 * does not wake them, ending the connection does. With nobody inside it is left alone, for another
 * process may have been given it.
 */
static void end_blocking_calls(int fd)
{
	long flags = call_raw(SYS_fcntl, fd, F_GETFL, 0, 0, 0, 0);

	if (flags >= 0 && !(flags & O_NONBLOCK) && is_in_use(fd))
		call_raw(SYS_shutdown, fd, SHUT_RDWR, 0, 0, 0, 0);
}

int grt_close(int fd)
{
	u64 seq = netpoll_generation(fd);
	long r;

	if (netwait_close(fd) == 0)
		end_blocking_calls(fd);
	/* The number is free whatever close says, EINTR included. */
	r = call_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
	if (seq)
		netpoll_closed(fd, seq);
	return r == -EINTR ? 0 : (int)r;
}

int grt_fd_pollable(int fd)
{
	long flags = call_raw(SYS_fcntl, fd, F_GETFL, 0, 0, 0, 0);
	int rc;

	if (flags < 0)
		return -EBADF;
	rc = netwait_open(fd);
	if (rc == 0 && !(flags & O_NONBLOCK))
		call_raw(SYS_fcntl, fd, F_SETFL, flags | O_NONBLOCK, 0, 0, 0);
	return rc;
}

ssize_t grt_read_dl(int fd, void *buf, size_t bytes, int64_t deadline_ns)
{
	struct io_call c = { SYS_read, { fd, (long)buf, (long)bytes }, GRT_MODE_READ };

	return io_call(&c, deadline_ns);
}

ssize_t grt_read(int fd, void *buf, size_t bytes)
{
	return grt_read_dl(fd, buf, bytes, 0);
}

ssize_t grt_readv_dl(int fd, const struct iovec *iov, int n, int64_t deadline_ns)
{
	struct io_call c = { SYS_readv, { fd, (long)iov, n }, GRT_MODE_READ };

	return io_call(&c, deadline_ns);
}

ssize_t grt_readv(int fd, const struct iovec *iov, int n)
{
	return grt_readv_dl(fd, iov, n, 0);
}

/* All of it on a pollable descriptor; one call on any other, as write(2). */
ssize_t grt_write_dl(int fd, const void *buf, size_t bytes, int64_t deadline_ns)
{
	struct io_call c = { SYS_write, { fd, (long)buf, (long)bytes }, GRT_MODE_WRITE };
	size_t done = 0;

	do {
		long r;

		c.args[1] = (long)buf + (long)done;
		c.args[2] = (long)(bytes - done);
		r = io_call(&c, deadline_ns);
		if (r < 0)
			return done ? (ssize_t)done : r;
		done += (size_t)r;
	} while (done < bytes && netpoll_is_open(fd) && sched_self());
	return (ssize_t)done;
}

ssize_t grt_write(int fd, const void *buf, size_t bytes)
{
	return grt_write_dl(fd, buf, bytes, 0);
}

static size_t iov_bytes(const struct iovec *iov, int n)
{
	size_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}

/* The rest after a partial writev, vector by vector. */
static ssize_t write_rest(int fd, const struct iovec *iov, int n, size_t done, int64_t deadline_ns)
{
	size_t before = 0;

	for (int i = 0; i < n; before += iov[i++].iov_len) {
		size_t skip = done > before ? done - before : 0;
		ssize_t r;

		if (skip >= iov[i].iov_len)
			continue;
		r = grt_write_dl(fd, (char *)iov[i].iov_base + skip, iov[i].iov_len - skip,
				 deadline_ns);
		if (r < 0)
			break;
		done += (size_t)r;
		if ((size_t)r < iov[i].iov_len - skip)
			break;
	}
	return (ssize_t)done;
}

ssize_t grt_writev_dl(int fd, const struct iovec *iov, int n, int64_t deadline_ns)
{
	struct io_call c = { SYS_writev, { fd, (long)iov, n }, GRT_MODE_WRITE };
	long r = io_call(&c, deadline_ns);

	if (r < 0 || (size_t)r == iov_bytes(iov, n) || !netpoll_is_open(fd) || !sched_self())
		return r;
	return write_rest(fd, iov, n, (size_t)r, deadline_ns);
}

ssize_t grt_writev(int fd, const struct iovec *iov, int n)
{
	return grt_writev_dl(fd, iov, n, 0);
}

ssize_t grt_sendfile(int out_fd, int in_fd, off_t *offset, size_t bytes)
{
	struct io_call c = { SYS_sendfile,
			     { out_fd, in_fd, (long)offset, (long)bytes },
			     GRT_MODE_WRITE };

	return io_call(&c, 0);
}

/* Files: one blocking call. */
static long file_call(long nr, long fd, long a, long b, long c)
{
	struct io_call call = { nr, { fd, a, b, c }, 0 };

	return raw_again(&call);
}

ssize_t grt_pread(int fd, void *buf, size_t bytes, off_t offset)
{
	return file_call(SYS_pread64, fd, (long)buf, (long)bytes, offset);
}

ssize_t grt_pwrite(int fd, const void *buf, size_t bytes, off_t offset)
{
	return file_call(SYS_pwrite64, fd, (long)buf, (long)bytes, offset);
}

int grt_fsync(int fd)
{
	return (int)file_call(SYS_fsync, fd, 0, 0, 0);
}

int grt_fdatasync(int fd)
{
	return (int)file_call(SYS_fdatasync, fd, 0, 0, 0);
}

int grt_flock(int fd, int operation)
{
	return (int)file_call(SYS_flock, fd, operation, 0, 0);
}

int grt_pipe(int ret_fd[2])
{
	int rc = (int)call_raw(SYS_pipe2, (long)ret_fd, O_CLOEXEC | O_NONBLOCK, 0, 0, 0, 0);

	if (rc != 0)
		return rc;
	rc = netwait_open(ret_fd[0]);
	if (rc == 0)
		rc = netwait_open(ret_fd[1]);
	if (rc < 0) {
		grt_close(ret_fd[0]);
		grt_close(ret_fd[1]);
	}
	return rc;
}

int grt_fd_wait(int fd, short events, int64_t deadline_ns)
{
	u32 mode = events == POLLIN ? GRT_MODE_READ : GRT_MODE_WRITE;
	u64 seq = netpoll_generation(fd);

	if (events != POLLIN && events != POLLOUT)
		return -EINVAL;
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		struct timespec at_once = { 0 };
		int rc = (int)call_raw(SYS_ppoll, (long)&p, 1, (long)&at_once, 0, 0, 0);

		if (rc > 0) {
			netwait_done(fd, mode);
			return p.revents & POLLNVAL ? -EBADF : 0;
		}
		rc = netwait(fd, seq, mode, deadline_ns);
		if (rc < 0)
			return rc;
	}
}
