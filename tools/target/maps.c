/* SPDX-License-Identifier: MIT */
/*
 * maps.c - see maps.h. /proc/PID/maps has two lines a thread: where that makes it long, it is read
 * when an address is not known, and not for each snapshot.
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
#include <time.h>
#include <unistd.h>

#include "image.h"
#include "proc.h"

#define CHEAP_NS 1000000 /* a reading that takes less is made for each snapshot */

struct maps {
	pid_t tid;
	struct map **map; /* by start */
	size_t n;
	uint32_t losses;
	uint64_t read_ns; /* how long the last reading took; 0: there was none */
	bool is_fresh;
};

struct maps *maps_new(pid_t tid)
{
	struct maps *m = calloc(1, sizeof(*m));

	if (m)
		m->tid = tid;
	return m;
}

static void map_free(struct map *map)
{
	dwfl_end(map->dwfl);
	free((char *)map->name);
	free(map);
}

void maps_free(struct maps *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		map_free(m->map[i]);
	free(m->map);
	free(m);
}

uint32_t maps_losses(const struct maps *m)
{
	return m->losses;
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

static struct map *search(struct map *const *map, size_t n, uint64_t addr)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (map[mid]->end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && map[lo]->start <= addr ? map[lo] : NULL;
}

static bool is_of(const struct map *k, const struct proc_map *p)
{
	return k->start == p->start && k->end == p->end && k->off == p->off && k->inode == p->inode;
}

/* What is mapped now; what was known before keeps its opened file. False: no memory. */
static bool list(struct maps *m, struct proc_maps *it, struct map **old, size_t nold)
{
	struct proc_map p;
	size_t cap = 0;

	while (proc_maps_next(it, &p)) {
		struct map *map;

		if (p.perms[2] != 'x')
			continue;
		if (m->n == cap) {
			struct map **more;

			cap = cap ? 2 * cap : 32;
			more = reallocarray(m->map, cap, sizeof(struct map *));
			if (!more)
				return false;
			m->map = more;
		}
		map = search(old, nold, p.start);
		if (map && is_of(map, &p) && !map->is_kept)
			map->is_kept = true;
		else
			map = map_new(&p);
		if (!map)
			return false;
		m->map[m->n++] = map;
	}
	return true;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void read_all(struct maps *m)
{
	struct map **old = m->map;
	size_t nold = m->n;
	uint64_t start_ns = now_ns();
	struct proc_maps it;

	m->is_fresh = true;
	if (proc_maps_open(&it, m->tid) < 0)
		return;
	m->map = NULL;
	m->n = 0;
	list(m, &it, old, nold);
	proc_maps_close(&it);
	for (size_t i = 0; i < nold; i++) {
		if (old[i]->is_kept) {
			old[i]->is_kept = false;
			continue;
		}
		map_free(old[i]);
		m->losses++;
	}
	free(old);
	m->read_ns = now_ns() - start_ns;
}

void maps_refresh(struct maps *m)
{
	m->is_fresh = false;
	if (m->read_ns && m->read_ns < CHEAP_NS)
		read_all(m);
	m->is_fresh = false;
}

struct map *maps_find(struct maps *m, uint64_t addr)
{
	struct map *map = search(m->map, m->n, addr);

	if (map || m->is_fresh)
		return map;
	read_all(m);
	return search(m->map, m->n, addr);
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
