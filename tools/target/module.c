/* SPDX-License-Identifier: MIT */
/*
 * module.c - see module.h.
 *
 * The file is opened as it is mapped, which its path may no longer be: /proc/PID/map_files/RANGE is
 * exact but needs privilege, /proc/PID/exe is exact for the program itself, and a path below
 * /proc/PID/root (the target's own mount namespace) holds if its inode is the mapped one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "describe.h"
#include "identity.h"
#include "module.h"
#include "proc.h"
#include "sdt.h"

#define LAYOUT_OWNER "grt"
#define LAYOUT_TYPE 1
#define DELETED " (deleted)"
#define LIBRARY "libgrt.so"
#define LOADING_TRIES 50
#define LOADING_WAIT_NS 10000000l

/* What one walk over the maps has found. */
struct search {
	struct target *t;
	int found;              /* copies of libgrt */
	uint64_t inode;         /* of the first one */
	char other[4096];       /* path of the second one */
	char unreachable[4096]; /* a file that could not be opened */
	char err[256];          /* what is wrong with the note of the first one */
};

static bool path_is_deleted(const char *path)
{
	size_t n = strlen(path), d = strlen(DELETED);

	return n > d && !strcmp(path + n - d, DELETED);
}

/* What the path names now: -1 if it cannot be told. */
static int root_open(const struct target *t, const struct proc_map *map, struct stat *ret)
{
	char path[4200];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/root%s", t->via_tid, map->path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && fstat(fd, ret) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool map_is_of_exe(const struct target *t, const struct proc_map *map)
{
	char link[32], exe[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", t->via_tid);
	n = readlink(link, exe, sizeof(exe) - 1);
	if (n < 0)
		return false;
	exe[n] = 0;
	return !strcmp(exe, map->path);
}

/* A descriptor of the mapped file itself, or -1. */
static int map_open(const struct target *t, const struct proc_map *map)
{
	char link[80];
	struct stat st;
	int fd;

	snprintf(link, sizeof(link), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, t->via_tid,
		 map->start, map->end);
	fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && map_is_of_exe(t, map)) {
		snprintf(link, sizeof(link), "/proc/%d/exe", t->via_tid);
		fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	if (fd < 0 && !path_is_deleted(map->path)) {
		fd = root_open(t, map, &st);
		if (fd >= 0 && st.st_ino != map->inode) {
			close(fd);
			fd = -1;
		}
	}
	return fd;
}

static bool map_is_replaced(const struct target *t, const struct proc_map *map)
{
	struct stat st;
	int fd;

	if (path_is_deleted(map->path))
		return true;
	fd = root_open(t, map, &st);
	if (fd < 0)
		return false;
	close(fd);
	return st.st_ino != map->inode;
}

/* Finds the note; returns how many notes of that kind the file has. */
static int layout_note_find(const struct image *im, struct note *ret, uint64_t *ret_vaddr)
{
	struct note_iter it;
	struct note note;
	uint64_t vaddr;
	int n = 0;

	for (size_t i = 0; image_notes(im, i, &it, &vaddr); i++) {
		while (note_next(&it, &note)) {
			if (note.type != LAYOUT_TYPE || strcmp(note.owner, LAYOUT_OWNER))
				continue;
			if (n++ > 0)
				continue;
			*ret = note;
			*ret_vaddr = vaddr + note.desc_at;
		}
	}
	return n;
}

/* Globals must lie where the file has writable data. Names the first one that does not. */
static int globals_check(const struct image *im, const struct layout *l, uint64_t bias, char *err,
			 size_t err_bytes)
{
	const struct {
		const char *name;
		uint64_t addr;
		uint32_t bytes;
	} global[] = {
#define LAYOUT_GLOBAL(id, name, sym) { #name, l->name, sizeof(uint64_t) },
#define LAYOUT_SIZE(id, name, type)
#define LAYOUT_FIELD(id, name, type, member)
#include "../../runtime/layout.def"
#undef LAYOUT_GLOBAL
#undef LAYOUT_SIZE
#undef LAYOUT_FIELD
		{ "sched_size", l->sched, l->sched_size },
	};

	for (size_t i = 0; i < sizeof(global) / sizeof(global[0]); i++) {
		uint64_t first = global[i].addr - bias, last = first + global[i].bytes - 1;
		GElf_Phdr seg;

		if (global[i].addr == 0)
			continue; /* an optional one that the note leaves out */
		if (image_segment(im, first, false, &seg) && seg.p_flags & PF_W &&
		    image_segment(im, last, false, &seg) && seg.p_flags & PF_W)
			continue;
		snprintf(err, err_bytes, "%s is at 0x%" PRIx64 ", where the program has no data",
			 global[i].name, global[i].addr);
		return -EINVAL;
	}
	return 0;
}

/* Fill layout and sites. -ENOENT: the file has no note; -EINVAL: with a sentence in err. */
static int image_read(struct target *t, const struct image *im, uint64_t bias, char *err,
		      size_t err_bytes)
{
	struct note note;
	uint64_t vaddr;
	char why[200];
	int rc, n = layout_note_find(im, &note, &vaddr);

	if (n == 0)
		return -ENOENT;
	if (n > 1) {
		snprintf(err, err_bytes, "two copies of libgrt in one file");
		return -EINVAL;
	}
	rc = layout_parse(&t->layout, note.desc, note.bytes, vaddr + bias, why, sizeof(why));
	if (rc == 0)
		rc = globals_check(im, &t->layout, bias, why, sizeof(why));
	if (rc < 0) {
		snprintf(err, err_bytes, "damaged layout note: %s", why);
		return rc;
	}
	return sdt_sites_read(im, bias, &t->site, &t->nsites, err, err_bytes);
}

static void module_keep(struct search *s, const struct proc_map *map, int fd, uint64_t bias)
{
	struct target_module *m = &s->t->module;

	s->inode = map->inode;
	m->fd = fd;
	m->bias = bias;
	m->is_replaced = map_is_replaced(s->t, map);
	snprintf(m->path, sizeof(m->path), "%s", map->path);
	if (path_is_deleted(m->path))
		m->path[strlen(m->path) - strlen(DELETED)] = 0;
	proc_text_tame(m->path);
	snprintf(m->open_path, sizeof(m->open_path), "/proc/self/fd/%d", fd);
}

/* One file that is mapped executable: is it libgrt? */
static void map_visit(struct search *s, const struct proc_map *map)
{
	char err[256] = "";
	struct image im;
	GElf_Phdr seg;
	struct note note;
	uint64_t vaddr, bias;
	int fd = map_open(s->t, map);

	if (fd < 0) {
		snprintf(s->unreachable, sizeof(s->unreachable), "%s", map->path);
		return;
	}
	if (image_open(&im, fd, err, sizeof(err)) < 0)
		goto out_close;
	if (layout_note_find(&im, &note, &vaddr) == 0 || !image_segment_mapped(&im, map->off, &seg))
		goto out;
	bias = map->start - map->off - (seg.p_vaddr - seg.p_offset);
	/* The same file at the same place is one copy in several mappings. */
	if (s->found && s->inode == map->inode && bias == s->t->module.bias)
		goto out;
	if (s->found++) {
		snprintf(s->other, sizeof(s->other), "%s", map->path);
		goto out;
	}
	module_keep(s, map, fd, bias);
	fd = -1;
	if (image_read(s->t, &im, bias, s->err, sizeof(s->err)) == -ENOMEM)
		snprintf(s->err, sizeof(s->err), "out of memory");
out:
	image_close(&im);
out_close:
	if (fd >= 0)
		close(fd);
}

/* Is libgrt still to be loaded? Between its exec and its main a program maps its libraries. */
static bool is_loading(const struct target *t)
{
	char path[32], err[64];
	bool needs = false;
	struct image im;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", t->via_tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (image_open(&im, fd, err, sizeof(err)) == 0) {
		needs = image_needs(&im, LIBRARY);
		image_close(&im);
	}
	close(fd);
	return needs;
}

static enum exit_code nothing_found(const struct search *s)
{
	const struct target *t = s->t;
	char looks[192];

	if (s->unreachable[0]) {
		diag_error(EXIT_NOT_PERMITTED,
			   "cannot tell whether pid %d (%s) is a libgrt program: "
			   "cannot open %s as it is mapped",
			   t->pid, t->comm, s->unreachable);
		diag_hint("a file that was replaced is reached through /proc/%d/map_files, as root",
			  t->pid);
		return EXIT_NOT_PERMITTED;
	}
	if (is_loading(t))
		return diag_error(EXIT_NO_TARGET, "pid %d (%s) has not loaded " LIBRARY " yet",
				  t->pid, t->comm);
	describe_process(t->via_tid, looks, sizeof(looks));
	return diag_error(EXIT_NO_TARGET, "pid %d (%s) is not a libgrt program: it looks like %s",
			  t->pid, t->comm, looks);
}

/* One walk over the maps. 0 or -errno. */
static int maps_walk(struct search *s)
{
	struct proc_maps it;
	struct proc_map map;
	int rc = proc_maps_open(&it, s->t->via_tid);
	bool any = false;

	if (rc < 0)
		return rc;
	while (proc_maps_next(&it, &map)) {
		any = true;
		if (map.perms[2] == 'x' && map.inode != 0 && map.path[0] == '/')
			map_visit(s, &map);
	}
	proc_maps_close(&it);
	if (!any)
		return target_is_alive(s->t) ? -EACCES : -ESRCH;
	return 0;
}

enum exit_code module_find(struct target *t)
{
	static const struct timespec wait = { .tv_nsec = LOADING_WAIT_NS };
	struct search s = { .t = t };
	int rc = maps_walk(&s);

	/* Who is stopped loads nothing while we wait. */
	for (int i = 0; rc == 0 && !s.found && !t->is_stopped && i < LOADING_TRIES; i++) {
		if (!is_loading(t))
			break;
		nanosleep(&wait, NULL);
		rc = maps_walk(&s);
	}
	if (rc < 0)
		return identity_refused(t, "cannot read the memory map of", rc);
	if (!s.found)
		return nothing_found(&s);
	if (s.found > 1)
		return diag_error(EXIT_NO_TARGET,
				  "pid %d (%s) has two copies of libgrt, in %s and "
				  "in %s",
				  t->pid, t->comm, t->module.path, s.other);
	if (s.err[0])
		return diag_error(EXIT_NO_TARGET, "cannot study pid %d (%s): %s in %s", t->pid,
				  t->comm, s.err, t->module.path);
	return EXIT_FINE;
}

static enum exit_code file_refused(const char *path, const struct image *im)
{
	char copy[4096], looks[192];
	const char *base;

	snprintf(copy, sizeof(copy), "%s", path);
	base = strrchr(copy, '/');
	if (image_needs(im, LIBRARY)) {
		diag_error(EXIT_NO_TARGET,
			   "%s has no probes of its own: it uses the library " LIBRARY, path);
		diag_hint("give the library, or the pid of a running %s", base ? base + 1 : copy);
		return EXIT_NO_TARGET;
	}
	describe_image(im, base ? base + 1 : copy, looks, sizeof(looks));
	return diag_error(EXIT_NO_TARGET, "%s is not a libgrt program: it looks like %s", path,
			  looks);
}

enum exit_code module_read_file(struct target *t, int fd)
{
	enum exit_code code = EXIT_FINE;
	const char *path = t->module.path;
	char err[256];
	struct image im;
	int rc;

	t->module.fd = fd;
	snprintf(t->module.open_path, sizeof(t->module.open_path), "/proc/self/fd/%d", fd);
	if (image_open(&im, fd, err, sizeof(err)) < 0)
		return diag_error(EXIT_NO_TARGET, "%s is not a libgrt program: %s", path, err);
	rc = image_read(t, &im, 0, err, sizeof(err));
	if (rc == -ENOENT)
		code = file_refused(path, &im);
	else if (rc == -ENOMEM)
		code = diag_error(EXIT_SYSTEM, "cannot read %s: out of memory", path);
	else if (rc < 0)
		code = diag_error(EXIT_NO_TARGET, "cannot study %s: %s", path, err);
	image_close(&im);
	return code;
}
