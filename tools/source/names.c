/* SPDX-License-Identifier: MIT */
/*
 * names.c - see names.h. What was sent is remembered as a hash of its text in a fixed table: a name
 * that loses its place there is sent again, which costs a record and no memory.
 */
#include "names.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "../hash.h"
#include "../syscalls.h"
#include "../target/fdname.h"
#include "../target/mappings.h"
#include "../target/pathname.h"
#include "threads.h"

#define SENT_SLOTS 16384u /* a power of two: more names than that are rare, and only sent again */
#define NAME_BYTES 512
#define GONE " (deleted)"
#define PAGE_BYTES 4096u
#define NAMED_FDS (1u << 16)
#define POLLED_MAX 4      /* of a list of descriptors: the first ones */
#define LOOKED_SLOTS 256u /* paths that threads open: most are the same few */

/* Where a path led to in this snapshot. */
struct looked {
	uint64_t hash; /* of directory and path, 0: none */
	enum pathname_is is;
	unsigned int type;
};

struct names {
	const struct target *target;
	struct fdname *fdname;
	struct symname *symname;
	struct mappings *mappings;
	uint64_t sent[SENT_SLOTS];      /* hash of (what, key, text), by hash of (what, key) */
	uint64_t named[NAMED_FDS / 64]; /* descriptors, in this snapshot */
	uint64_t name_of[NAMED_FDS],
		kind_of[NAMED_FDS]; /* which file's were sent last, by descriptor */
	struct looked looked[LOOKED_SLOTS];
};

struct names *names_new(const struct target *t)
{
	struct names *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->target = t;
	n->fdname = fdname_new(t->via_tid);
	n->symname = symname_new(t->via_tid);
	n->mappings = mappings_new(t->via_tid);
	if (n->fdname && n->symname && n->mappings)
		return n;
	names_free(n);
	return NULL;
}

void names_free(struct names *n)
{
	if (!n)
		return;
	fdname_free(n->fdname);
	symname_free(n->symname);
	mappings_free(n->mappings);
	free(n);
}

struct symname *names_functions(const struct names *n)
{
	return n->symname;
}

void names_begin(struct names *n)
{
	maps_refresh(symname_maps(n->symname));
	fdname_refresh(n->fdname);
	mappings_refresh(n->mappings);
	memset(n->named, 0, sizeof(n->named));
	memset(n->looked, 0, sizeof(n->looked));
}

static bool was_sent(struct names *n, enum grt_text what, uint64_t key, const char *text)
{
	uint64_t h = hash_mix(hash_mix(1, what), key);
	uint64_t *slot = &n->sent[h >> 20 & (SENT_SLOTS - 1)];

	h = hash_text(h, text);
	if (*slot == h)
		return true;
	*slot = h;
	return false;
}

static void put(struct names *n, enum grt_text what, uint64_t key, const char *text, uint16_t flags,
		source_emit_fn emit, void *arg)
{
	size_t bytes = strlen(text), offset = 0;

	if (was_sent(n, what, key, text))
		return;
	if (bytes > GRT_TEXT_BYTES_MAX)
		bytes = GRT_TEXT_BYTES_MAX;
	do {
		size_t part = bytes - offset < GRT_TEXT_PIECE ? bytes - offset : GRT_TEXT_PIECE;
		struct grt_rec rec = { .time_ns = threads_now_ns(),
				       .kind = GRT_K_TEXT,
				       .flags = flags };

		rec.arg[0] = (uint64_t)what | (uint64_t)bytes << 16 | (uint64_t)offset << 32;
		rec.arg[1] = key;
		memcpy(&rec.arg[2], text + offset, part);
		emit(arg, &rec);
		offset += part;
	} while (offset < bytes);
}

void names_put(struct names *n, enum grt_text what, uint64_t key, const char *text,
	       source_emit_fn emit, void *arg)
{
	put(n, what, key, text, 0, emit, arg);
}

/* GRT_RF_ANOTHER: the number is another file's than the last time. Of higher numbers nothing is kept. */
static uint16_t file_flags(uint64_t last[NAMED_FDS], int fd, uint64_t file)
{
	uint64_t was;

	if ((unsigned int)fd >= NAMED_FDS)
		return GRT_RF_ANOTHER;
	was = last[fd];
	last[fd] = file;
	return fdname_is_another(was, file) ? GRT_RF_ANOTHER : 0;
}

void names_put_fd(struct names *n, int fd, const char *name, uint64_t file, source_emit_fn emit,
		  void *arg)
{
	put(n, GRT_TEXT_FD, (uint64_t)fd, name, file_flags(n->name_of, fd, file), emit, arg);
}

/* A string in the target, page by page: it may end just before memory does. */
static bool string_read(const struct target *t, uint64_t addr, char *buf, size_t bytes)
{
	size_t n = 0;

	while (n < bytes - 1) {
		size_t part = PAGE_BYTES - (addr + n) % PAGE_BYTES;
		struct target_read r = { .addr = addr + n, .buf = buf + n };

		r.bytes = (uint32_t)(part < bytes - 1 - n ? part : bytes - 1 - n);
		if (target_read_many(t, &r, 1) != 1)
			return false;
		if (memchr(r.buf, '\0', r.bytes))
			return buf[0] != '\0';
		n += r.bytes;
	}
	buf[n] = '\0';
	return true;
}

static bool fd_is_named(struct names *n, int fd)
{
	uint64_t bit = 1ull << fd % 64;
	bool is_named;

	if ((unsigned int)fd >= NAMED_FDS)
		return false;
	is_named = (n->named[fd / 64] & bit) != 0;
	n->named[fd / 64] |= bit;
	return is_named;
}

static void name_fd(struct names *n, int fd, source_emit_fn emit, void *arg)
{
	struct fdname_is is;
	uint16_t flags;

	if (fd_is_named(n, fd) || !fdname_look(n->fdname, fd, &is))
		return;
	names_put_fd(n, fd, is.name, is.file, emit, arg);
	flags = file_flags(n->kind_of, fd, is.file);
	put(n, GRT_TEXT_FD_KIND, (uint64_t)fd, is.kind, flags, emit, arg);
	if (is.note)
		put(n, GRT_TEXT_FD_NOTE, (uint64_t)fd, is.note, flags, emit, arg);
}

/* Does the call open a path that must be there? args: all six, or NULL. */
static bool opens_path(int32_t nr, const uint64_t *args)
{
	if (!args || (nr != SYS_open && nr != SYS_openat))
		return false;
	return !(args[nr == SYS_openat ? 2 : 1] & O_CREAT);
}

static const struct looked *path_look(struct names *n, int dir_fd, const char *path)
{
	uint64_t h = hash_text(hash_mix(1, (uint64_t)(uint32_t)dir_fd), path) | 1;
	struct looked *l = &n->looked[h >> 20 & (LOOKED_SLOTS - 1)];

	if (l->hash == h)
		return l;
	l->hash = h;
	l->is = pathname_look(n->target->via_tid, dir_fd, path, &l->type);
	return l;
}

/* A name that is gone is marked as the kernel marks descriptors of such files. */
static void name_path(struct names *n, int32_t nr, const uint64_t *args, uint64_t addr,
		      source_emit_fn emit, void *arg)
{
	static const struct looked not_looked;
	const struct looked *l = &not_looked;
	char buf[NAME_BYTES];

	if (!string_read(n->target, addr, buf, sizeof(buf) - strlen(GONE)))
		return;
	if (opens_path(nr, args))
		l = path_look(n, nr == SYS_openat ? (int)args[0] : AT_FDCWD, buf);
	if (l->is == PATHNAME_GONE)
		strcat(buf, GONE);
	names_put(n, GRT_TEXT_STRING, addr, buf, emit, arg);
	/* What it was before it was gone, it still is for who waits. */
	if (l->is != PATHNAME_GONE)
		names_put(n, GRT_TEXT_STRING_KIND, addr, fdname_kind_of_file(l->type), emit, arg);
}

/* "5<udp 127.0.0.1:4711->127.0.0.53:53>, 6": what a poll waits for, under the address of the list. */
static void name_polled(struct names *n, uint64_t addr, uint64_t nfds, source_emit_fn emit,
			void *arg)
{
	struct pollfd fds[POLLED_MAX];
	char buf[NAME_BYTES] = "";
	struct fdname_is is;
	size_t at = 0, known = nfds < POLLED_MAX ? (size_t)nfds : POLLED_MAX;
	struct target_read r = { .addr = addr,
				 .buf = fds,
				 .bytes = (uint32_t)(known * sizeof(fds[0])) };

	if (known == 0 || target_read_many(n->target, &r, 1) != 1)
		return;
	for (size_t i = 0; i < known && at < sizeof(buf); i++) {
		bool is_known = fdname_look(n->fdname, fds[i].fd, &is);

		at += (size_t)snprintf(buf + at, sizeof(buf) - at, "%s%d%s%s%s", i ? ", " : "",
				       fds[i].fd, is_known ? "<" : "", is_known ? is.name : "",
				       is_known ? ">" : "");
	}
	if (nfds > known && at < sizeof(buf))
		snprintf(buf + at, sizeof(buf) - at, ", ...");
	names_put(n, GRT_TEXT_STRING, addr, buf, emit, arg);
	names_put(n, GRT_TEXT_STRING_KIND, addr, "", emit, arg);
}

/* Names of the arguments of a call; all: all six, or NULL where only the first one is known. */
static void name_arguments(struct names *n, int32_t nr, const uint64_t *all, uint64_t first,
			   bool is_same, source_emit_fn emit, void *arg)
{
	const struct syscall_desc *d = syscall_desc(nr);
	int known = all ? GRT_REC_ARGS : 1;

	for (int i = 0; d && i < known && d->args[i]; i++) {
		uint64_t v = all ? all[i] : first;
		char how = syscall_letter(d, i, all);

		/* AT_FDCWD and its like are no descriptors. */
		if ((how == 'f' || how == 'a') && (int)v >= 0 && !is_same)
			name_fd(n, (int)v, emit, arg);
		else if (how == 'p')
			name_path(n, nr, all, v, emit, arg);
		else if (how == 'P' && all)
			name_polled(n, v, all[i + 1], emit, arg);
	}
}

/*
 * One and the same call needs its names once: it holds on to the files that it began with, even if a
 * descriptor is another file's by now. Only the path of an open is looked at again: it may be gone since.
 */
void names_of_row(struct names *n, const struct grt_rec *row, const struct grt_rec *call,
		  source_emit_fn emit, void *arg)
{
	int32_t nr = (int32_t)(row->arg[2] >> 32);
	uint64_t args[GRT_REC_ARGS];
	const uint64_t *all = call ? args : NULL;
	bool is_same = row->flags & GRT_RF_SAME_CALL;
	char buf[NAME_BYTES];

	if (call)
		memcpy(args, call->arg, sizeof(args));
	if ((!syscall_desc(nr) && nr != GRT_NR_FOREIGN) || (row->flags & GRT_RF_TORN))
		return;
	if (is_same && !opens_path(nr, all))
		return;
	if (nr == GRT_NR_FOREIGN && symname_get(n->symname, row->arg[5], buf, sizeof(buf)))
		names_put(n, GRT_TEXT_FUNCTION, row->arg[5], buf, emit, arg);
	/* It has called on. */
	if (nr == GRT_NR_FOREIGN && call)
		nr = (call->flags >> GRT_RF_CALL_SHIFT) - 1;
	name_arguments(n, nr, all, row->arg[5], is_same, emit, arg);
}

void names_of_fault(struct names *n, uint64_t addr, source_emit_fn emit, void *arg)
{
	const char *name = mappings_name(n->mappings, addr);

	if (name)
		names_put(n, GRT_TEXT_MAPPING, addr, name, emit, arg);
}
