/* SPDX-License-Identifier: MIT */
/*
 * pathname.c - see pathname.h. The kernel's cache of names is asked first, which needs no file system. A
 * thread that sleeps in the open of a FIFO keeps its name there, so this finds nearly all. A name that
 * is not in the cache may be gone, or was never looked up: then its directory is asked, if that is in
 * the cache and on a file system of this machine.
 *
 * Rejected: a look-up by a thread that is given up after some time, because what hangs in a broken
 * mount may not even be killed.
 */
#include "pathname.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATH_BYTES 4096

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20 /* Linux 5.12 */
#endif

/* Answers from memory or a disk; not from a server, a daemon, or a mount that comes when it is used. */
static bool is_local(const char *fs)
{
	static const char *const local[] = { "ext4",    "ext3",     "ext2",  "xfs",   "btrfs",
					     "f2fs",    "zfs",      "tmpfs", "ramfs", "rootfs",
					     "overlay", "devtmpfs", "mqueue" };

	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		if (!strcmp(fs, local[i]))
			return true;
	return false;
}

static long mount_of(int fd)
{
	char path[64], line[128];
	long id = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && id < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "mnt_id: %ld", &id) != 1)
			id = -1;
	if (f)
		fclose(f);
	return id;
}

/* "36 35 98:0 /root /mnt rw shared:1 - ext3 /dev/sda rw": the mounts that the target has. */
static bool is_on_local(pid_t tid, int fd)
{
	long want = mount_of(fd), id;
	char path[64], fs[32] = "", *line = NULL, *dash;
	size_t cap = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", tid);
	f = want < 0 ? NULL : fopen(path, "re");
	while (f && !fs[0] && getline(&line, &cap, f) > 0) {
		dash = strstr(line, " - ");
		if (sscanf(line, "%ld", &id) == 1 && id == want && dash)
			sscanf(dash + 3, "%31s", fs);
	}
	free(line);
	if (f)
		fclose(f);
	return is_local(fs);
}

static int base_open(pid_t tid, int dir_fd, const char *path)
{
	char base[64];

	if (path[0] == '/')
		snprintf(base, sizeof(base), "/proc/%d/root", tid);
	else if (dir_fd == AT_FDCWD)
		snprintf(base, sizeof(base), "/proc/%d/cwd", tid);
	else
		snprintf(base, sizeof(base), "/proc/%d/fd/%d", tid, dir_fd);
	return open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* From the cache of names only. */
static int cached_open(int base, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED };

	if (path[0] == '/')
		how.resolve |= RESOLVE_IN_ROOT;
	return (int)syscall(SYS_openat2, base, path, &how, sizeof(how));
}

static unsigned int type_of(int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return 0;
	return st.stx_mode & S_IFMT;
}

static enum pathname_is look_at(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0)
		return PATHNAME_THERE;
	return errno == ENOENT ? PATHNAME_GONE : PATHNAME_UNKNOWN;
}

static enum pathname_is ask_directory(pid_t tid, int dir, const char *name)
{
	enum pathname_is is = is_on_local(tid, dir) ? look_at(dir, name) : PATHNAME_UNKNOWN;

	close(dir);
	return is;
}

/* The nearest directory that is in the cache knows: of a whole tree that is gone, one further up. */
static enum pathname_is look_in_directory(pid_t tid, int base, const char *path)
{
	char buf[PATH_BYTES];

	if (strlen(path) >= sizeof(buf))
		return PATHNAME_UNKNOWN;
	strcpy(buf, path);
	for (int up = 0;; up++) {
		char *slash = strrchr(buf, '/'), *name = slash ? slash + 1 : buf;
		bool is_root = slash == buf;
		enum pathname_is is;
		int fd;

		if (!*name)
			return PATHNAME_UNKNOWN;
		if (slash)
			*slash = '\0';
		fd = cached_open(base, is_root ? "/" : slash ? buf : ".");
		if (fd >= 0) {
			is = ask_directory(tid, fd, name);
			/* A directory that is there says nothing of what is in it. */
			return up && is == PATHNAME_THERE ? PATHNAME_UNKNOWN : is;
		}
		if (errno == ENOENT)
			return PATHNAME_GONE;
		if (errno != EAGAIN || !slash || is_root)
			return PATHNAME_UNKNOWN;
	}
}

enum pathname_is pathname_look(pid_t tid, int dir_fd, const char *path, unsigned int *ret_type)
{
	enum pathname_is is = PATHNAME_UNKNOWN;
	int base = base_open(tid, dir_fd, path), fd;

	*ret_type = 0;
	if (base < 0)
		return is;
	fd = cached_open(base, path);
	if (fd >= 0) {
		*ret_type = type_of(fd);
		is = PATHNAME_THERE;
		close(fd);
	} else if (errno == ENOENT) {
		is = PATHNAME_GONE;
	} else if (errno == EAGAIN) {
		is = look_in_directory(tid, base, path);
	}
	close(base);
	return is;
}
