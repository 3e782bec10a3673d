/* SPDX-License-Identifier: MIT */
/*
 * io.h - reading and writing descriptors.
 *
 * A descriptor is a plain int. One that the netpoller knows (made by a grt_ socket call or opted in
 * with grt_fd_pollable) parks the goroutine when it is not ready and blocks no thread. Any other one
 * (files, FIFOs, devices, what you made yourself) is read and written by a blocking system call: it
 * blocks the M and releases the P. Off a goroutine, every descriptor is used as the kernel has it,
 * and -EAGAIN is returned as it comes.
 *
 * All: result or -errno; interrupted calls (EINTR) are repeated; any thread.
 */
#ifndef GRT_IO_H
#define GRT_IO_H

#include <grt/api.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

GRT_BEGIN

/* open(2) with O_CLOEXEC added. Never registers with the netpoller. Blocks the M, releases the P. */
GRT_API int grt_open(const char *path, int flags, mode_t mode);
GRT_API int grt_openat(int dirfd, const char *path, int flags, mode_t mode);

/*
 * Close. Goroutines that wait on it in the netpoller return -EBADF, and so do those that sleep in the
 * kernel on a pollable socket which foreign code made blocking (the connection is shut down then). On
 * other descriptors threads inside a blocking call are not disturbed (the kernel does not). Blocks
 * the M, releases the P.
 */
GRT_API int grt_close(int fd);

/*
 * Hand a descriptor to the netpoller: sets O_NONBLOCK, registers. 0, -EPERM if the kernel cannot
 * poll it (regular files), -EBADF, -EEXIST if already registered, -ENOMEM.
 */
GRT_API int grt_fd_pollable(int fd);

/*
 * As the system calls of these names; a read returns what there is, a write on a pollable descriptor
 * returns when all is written or an error occurs (then, if anything was written, how much).
 * _dl: -ETIMEDOUT when the deadline passes first; -EINVAL if a deadline is given for a descriptor
 * that is not pollable (it could not be kept).
 */
GRT_API ssize_t grt_read(int fd, void *buf, size_t bytes);
GRT_API ssize_t grt_read_dl(int fd, void *buf, size_t bytes, int64_t deadline_ns);
GRT_API ssize_t grt_readv(int fd, const struct iovec *iov, int n);
GRT_API ssize_t grt_readv_dl(int fd, const struct iovec *iov, int n, int64_t deadline_ns);
GRT_API ssize_t grt_write(int fd, const void *buf, size_t bytes);
GRT_API ssize_t grt_write_dl(int fd, const void *buf, size_t bytes, int64_t deadline_ns);
GRT_API ssize_t grt_writev(int fd, const struct iovec *iov, int n);
GRT_API ssize_t grt_writev_dl(int fd, const struct iovec *iov, int n, int64_t deadline_ns);
GRT_API ssize_t grt_sendfile(int out_fd, int in_fd, off_t *offset, size_t bytes);

/* Files: block the M, release the P. */
GRT_API ssize_t grt_pread(int fd, void *buf, size_t bytes, off_t offset);
GRT_API ssize_t grt_pwrite(int fd, const void *buf, size_t bytes, off_t offset);
GRT_API int grt_fsync(int fd);
GRT_API int grt_fdatasync(int fd);
GRT_API int grt_flock(int fd, int operation);

/* pipe2(2), O_CLOEXEC added, both ends pollable. */
GRT_API int grt_pipe(int ret_fd[2]);

/*
 * Wait until a pollable descriptor can be read (POLLIN) or written (POLLOUT), one of the two.
 * 0, -ETIMEDOUT, -EBADF, -EPERM off a goroutine. Parks the G.
 */
GRT_API int grt_fd_wait(int fd, short events, int64_t deadline_ns);

GRT_END

#endif
