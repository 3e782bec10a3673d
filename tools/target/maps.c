/* SPDX-License-Identifier: MIT */
/*
 * maps.c - see maps.h. /proc/PID/maps has two lines a thread, so that it is read when an address
 * is not known and not each time.
 *
 * libdwfl maps the file: reading all debug information of a large program would take its size in
 * memory. A file that is cut short while it runs would kill its own process before it troubles us.
 */
#include "maps.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "proc.h"

struct maps {
	pid_t tid;
	struct map **map; /* by start */
	size_t n, cap;
	struct map **all; /* and those that are no more */
	size_t nall, all_cap;
	bool is_fresh;
};

struct maps *maps_new(pid_t tid)
{
	struct maps *m = calloc(1, sizeof(*m));

	if (m)
		m->tid = tid;
	return m;
}

void maps_free(struct maps *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->nall; i++) {
		dwfl_end(m->all[i]->dwfl);
		free((char *)m->all[i]->name);
		free(m->all[i]);
	}
	free(m->all);
	free(m->map);
	free(m);
}

void maps_refresh(struct maps *m)
{
	m->is_fresh = false;
}

static bool push(struct map ***array, size_t *n, size_t *cap, struct map *map)
{
	if (*n == *cap) {
		size_t more = *cap ? 2 * *cap : 32;
		struct map **p = reallocarray(*array, more, sizeof(struct map *));

		if (!p)
			return false;
		*array = p;
		*cap = more;
	}
	(*array)[(*n)++] = map;
	return true;
}

static bool name_is_system(const char *name)
{
	static const char *const prefix[] = { "libc.so",    "libc-",     "ld-linux", "ld-2",
					      "libpthread", "libgrt.so", "[vdso]",   "ld-musl" };

	for (size_t i = 0; i < sizeof(prefix) / sizeof(prefix[0]); i++)
		if (!strncmp(name, prefix[i], strlen(prefix[i])))
			return true;
	return false;
}

static struct map *map_new(const struct proc_map *p)
{
	struct map *map = calloc(1, sizeof(*map));
	const char *slash = strrchr(p->path, '/');
	char *name = strdup(slash ? slash + 1 : p->path);

	if (!map || !name) {
		free(map);
		free(name);
		return NULL;
	}
	proc_text_tame(name);
	*map = (struct map){ .start = p->start,
			     .end = p->end,
			     .off = p->off,
			     .inode = p->inode,
			     .name = name,
			     .is_system = name_is_system(name),
			     .is_file = p->path[0] == '/' };
	return map;
}

static struct map *map_known(const struct maps *m, const struct proc_map *p)
{
	for (size_t i = 0; i < m->nall; i++) {
		struct map *k = m->all[i];

		if (k->start == p->start && k->end == p->end && k->off == p->off &&
		    k->inode == p->inode)
			return k;
	}
	return NULL;
}

static void read_all(struct maps *m)
{
	struct proc_maps it;
	struct proc_map p;

	m->is_fresh = true;
	if (proc_maps_open(&it, m->tid) < 0)
		return;
	m->n = 0;
	while (proc_maps_next(&it, &p)) {
		struct map *map;

		if (p.perms[2] != 'x')
			continue;
		map = map_known(m, &p);
		if (!map) {
			map = map_new(&p);
			if (!map || !push(&m->all, &m->nall, &m->all_cap, map)) {
				free(map);
				break;
			}
		}
		if (!push(&m->map, &m->n, &m->cap, map))
			break;
	}
	proc_maps_close(&it);
}

static struct map *search(const struct maps *m, uint64_t addr)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->map[mid]->end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < m->n && m->map[lo]->start <= addr ? m->map[lo] : NULL;
}

struct map *maps_find(struct maps *m, uint64_t addr)
{
	struct map *map = search(m, addr);

	if (map || m->is_fresh)
		return map;
	read_all(m);
	return search(m, addr);
}

/* The file as it is mapped; by its path only where that still names the same file. */
static int map_fd(pid_t tid, const struct map *map)
{
	char path[96], where[4096];
	struct proc_maps it;
	struct proc_map p;
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, tid, map->start,
		 map->end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 || proc_maps_open(&it, tid) < 0)
		return fd;
	while (fd < 0 && proc_maps_next(&it, &p)) {
		if (p.start != map->start || p.path[0] != '/')
			continue;
		if (snprintf(where, sizeof(where), "/proc/%d/root%s", tid, p.path) <
		    (int)sizeof(where))
			fd = open(where, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_ino != map->inode)) {
			close(fd);
			fd = -1;
		}
		break;
	}
	proc_maps_close(&it);
	if (fd >= 0)
		return fd;
	/* A program of ours that was deleted: its own link still opens it. */
	snprintf(path, sizeof(path), "/proc/%d/exe", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_ino != map->inode)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Address - ELF address, from the segment that is mapped there. */
static bool bias_of(int fd, const struct map *map, uint64_t *ret)
{
	struct image im;
	char err[128];
	GElf_Phdr seg;
	bool found;

	if (image_open(&im, fd, err, sizeof(err)) < 0)
		return false;
	found = image_segment_mapped(&im, map->off, &seg);
	if (found)
		*ret = map->start - map->off - (seg.p_vaddr - seg.p_offset);
	image_close(&im);
	return found;
}

/*
 * By build-id only, from below /usr/lib/debug: the variant of libdwfl that also asks a server on
 * the network would let a screen wait for it.
 */
static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_build_id_find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

static void file_open(const struct maps *m, struct map *map)
{
	int fd = map_fd(m->tid, map);
	uint64_t bias;

	map->is_tried = true;
	if (fd < 0)
		return;
	if (bias_of(fd, map, &bias))
		map->dwfl = dwfl_begin(&callbacks);
	if (!map->dwfl) {
		close(fd);
		return;
	}
	dwfl_report_begin(map->dwfl);
	map->module = dwfl_report_elf(map->dwfl, map->name, map->name, fd, bias, true);
	dwfl_report_end(map->dwfl, NULL, NULL);
	if (!map->module)
		close(fd); /* else it is the library's */
}

struct map *maps_open(struct maps *m, uint64_t addr)
{
	struct map *map = maps_find(m, addr);

	if (map && map->is_file && !map->is_tried)
		file_open(m, map);
	return map;
}
