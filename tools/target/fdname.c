/* SPDX-License-Identifier: MIT */
/*
 * fdname.c - see fdname.h. The kernel's socket tables are read when the first socket is asked for,
 * and then serve all of one tick: reading them once for each of 1,000 threads would take seconds.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../hash.h"
#include "fdname.h"
#include "unix_peers.h"

#define SOCKET_TEXT 160 /* longest name; a Unix path has 108 bytes */
#define TCP_LISTEN 0x0a

struct socket_row {
	uint64_t inode, peer; /* peer: of a Unix socket, 0: none, or not known */
	char text[SOCKET_TEXT];
};

struct fdname {
	pid_t tid;
	bool has_sockets;
	struct socket_row *row;
	size_t n, cap;
};

struct fdname *fdname_new(pid_t tid)
{
	struct fdname *f = calloc(1, sizeof(*f));

	if (f)
		f->tid = tid;
	return f;
}

void fdname_free(struct fdname *f)
{
	if (f)
		free(f->row);
	free(f);
}

void fdname_refresh(struct fdname *f)
{
	f->has_sockets = false;
	f->n = 0;
}

static struct socket_row *row_add(struct fdname *f, uint64_t inode)
{
	if (f->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 64;
		struct socket_row *row = reallocarray(f->row, cap, sizeof(*row));

		if (!row)
			return NULL;
		f->row = row;
		f->cap = cap;
	}
	f->row[f->n].inode = inode;
	f->row[f->n].peer = 0;
	return &f->row[f->n++];
}

/* "0100007F" or four such words: addresses are in the byte order of the machine, word by word. */
static bool put_address(char *buf, size_t bytes, const char *hex, unsigned int port)
{
	uint32_t word[4];
	char text[INET6_ADDRSTRLEN];
	size_t words = strlen(hex) / 8;

	if (words != 1 && words != 4)
		return false;
	for (size_t i = 0; i < words; i++)
		if (sscanf(hex + 8 * i, "%8" SCNx32, &word[i]) != 1)
			return false;
	if (!inet_ntop(words == 1 ? AF_INET : AF_INET6, word, text, sizeof(text)))
		return false;
	snprintf(buf, bytes, words == 1 ? "%s:%u" : "[%s]:%u", text, port);
	return true;
}

static void inet_line(struct fdname *f, const char *kind, const char *line)
{
	char local_hex[33], peer_hex[33], local[64], peer[64];
	unsigned int local_port, peer_port, state;
	struct socket_row *row;
	uint64_t inode;

	if (sscanf(line, " %*u: %32[0-9A-F]:%x %32[0-9A-F]:%x %x %*s %*s %*s %*u %*u %" SCNu64,
		   local_hex, &local_port, peer_hex, &peer_port, &state, &inode) != 6)
		return;
	if (!put_address(local, sizeof(local), local_hex, local_port) ||
	    !put_address(peer, sizeof(peer), peer_hex, peer_port))
		return;
	row = row_add(f, inode);
	if (!row)
		return;
	if (peer_port)
		snprintf(row->text, sizeof(row->text), "%s %s->%s", kind, local, peer);
	else
		snprintf(row->text, sizeof(row->text), "%s %s%s", kind, local,
			 state == TCP_LISTEN ? " listening" : "");
}

static void unix_line(struct fdname *f, const char *kind, const char *line)
{
	char path[SOCKET_TEXT - 8] = "";
	struct socket_row *row;
	uint64_t inode;

	if (sscanf(line, "%*x: %*x %*x %*x %*x %*x %" SCNu64 " %119[^\n]", &inode, path) < 1)
		return;
	row = row_add(f, inode);
	if (!row)
		return;
	if (path[0])
		snprintf(row->text, sizeof(row->text), "%s %s", kind, path);
	else
		snprintf(row->text, sizeof(row->text), "%s:[%" PRIu64 "]", kind, inode);
}

static void table_read(struct fdname *f, const char *file, const char *kind,
		       void (*add)(struct fdname *, const char *, const char *))
{
	char path[64], *line = NULL;
	size_t cap = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/net/%s", f->tid, file);
	in = fopen(path, "re");
	if (!in)
		return;
	while (getline(&line, &cap, in) > 0)
		add(f, kind, line); /* the head has no inode and is passed over */
	free(line);
	fclose(in);
}

static int row_compare(const void *a, const void *b)
{
	const struct socket_row *x = a, *y = b;

	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static struct socket_row *row_find(const struct fdname *f, uint64_t inode)
{
	struct socket_row key = { .inode = inode };

	return f->n ? bsearch(&key, f->row, f->n, sizeof(*f->row), row_compare) : NULL;
}

static void peer_note(void *arg, uint32_t inode, uint32_t peer)
{
	struct socket_row *row = row_find(arg, inode);

	if (row)
		row->peer = peer;
}

static void tables_read(struct fdname *f)
{
	table_read(f, "tcp", "tcp", inet_line);
	table_read(f, "tcp6", "tcp", inet_line);
	table_read(f, "udp", "udp", inet_line);
	table_read(f, "udp6", "udp", inet_line);
	table_read(f, "unix", "unix", unix_line);
	if (f->n)
		qsort(f->row, f->n, sizeof(*f->row), row_compare);
	unix_peers_read(f->tid, peer_note, f); /* without it only the near end is shown */
	f->has_sockets = true;
}

#define UNIX_PATH "unix "

static bool socket_get(struct fdname *f, uint64_t inode, char *buf, size_t bytes)
{
	const struct socket_row *row, *other;

	if (!f->has_sockets)
		tables_read(f);
	row = row_find(f, inode);
	if (!row)
		return false;
	other = row->peer ? row_find(f, row->peer) : NULL;
	if (other && !strncmp(other->text, UNIX_PATH, strlen(UNIX_PATH)))
		snprintf(buf, bytes, "%s->%s", row->text, other->text + strlen(UNIX_PATH));
	else if (row->peer)
		snprintf(buf, bytes, "%s->[%" PRIu64 "]", row->text, row->peer);
	else
		snprintf(buf, bytes, "%s", row->text);
	return true;
}

#define DELETED " (deleted)"

/* O_* as the descriptor has them now; -1: not known. */
static int flags_read(pid_t tid, int fd)
{
	char path[64], text[256], *at;
	int in;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", tid, fd);
	in = open(path, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return -1;
	n = read(in, text, sizeof(text) - 1);
	close(in);
	text[n < 0 ? 0 : n] = '\0';
	at = strstr(text, "flags:");
	return at ? (int)strtoul(at + 6, NULL, 8) : -1;
}

/* Without asking a file system that may hang: the kind of a file is known to the kernel. */
static unsigned int type_of(const char *path)
{
	struct statx st;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return 0;
	return st.stx_mode & S_IFMT;
}

static bool link_read(const struct fdname *f, int fd, char *link, size_t bytes)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", f->tid, fd);
	n = readlink(path, link, bytes - 1);
	if (n < 0)
		return false;
	link[n] = '\0';
	return true;
}

#define ANON "anon_inode:"

static void name_of_link(struct fdname *f, const char *link, char *buf, size_t bytes)
{
	uint64_t inode;

	if (sscanf(link, "socket:[%" SCNu64 "]", &inode) == 1 && socket_get(f, inode, buf, bytes))
		return;
	if (!strcmp(link, ANON "[eventpoll]"))
		snprintf(buf, bytes, "epoll");
	else if (!strncmp(link, ANON, strlen(ANON)))
		snprintf(buf, bytes, "%s", link + strlen(ANON));
	else
		snprintf(buf, bytes, "%s", link);
}

/* "[eventfd]" and "inotify" are both written so by the kernel. */
static void kind_of_anon(const char *name, char *buf, size_t bytes)
{
	size_t n = strcspn(name, "]");

	if (*name == '[')
		snprintf(buf, bytes, "%.*s", (int)n - 1, name + 1);
	else
		snprintf(buf, bytes, "%.*s", (int)bytes - 1, name);
}

const char *fdname_kind_of_file(unsigned int type)
{
	switch (type & S_IFMT) {
	case S_IFIFO:
		return "FIFO";
	case S_IFSOCK:
		return "socket";
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFCHR:
	case S_IFBLK:
		return "device";
	}
	return "";
}

static void kind_get(struct fdname_is *ret, const char *link, unsigned int type)
{
	if (!strncmp(link, "pipe:[", 6))
		snprintf(ret->kind, sizeof(ret->kind), "pipe");
	else if (!strncmp(link, ANON, strlen(ANON)))
		kind_of_anon(ret->name, ret->kind, sizeof(ret->kind));
	else
		snprintf(ret->kind, sizeof(ret->kind), "%s", fdname_kind_of_file(type));
}

static bool is_deleted(const char *link, size_t n)
{
	return n > strlen(DELETED) && !strcmp(link + n - strlen(DELETED), DELETED);
}

static const char *note_of(const char *link, unsigned int type, int flags)
{
	size_t n = strlen(link);

	if (type == S_IFSOCK && !(flags & O_NONBLOCK))
		return "socket in blocking mode";
	if (type == S_IFIFO && !(flags & O_NONBLOCK))
		return "pipe in blocking mode";
	if (is_deleted(link, n))
		return "deleted";
	return "";
}

#define FILE_IS_DELETED 1ull
#define FILE_IS_SET 2ull

/* By where the link leads: inodes of sockets and pipes, else a path. */
static uint64_t file_of(const char *link)
{
	size_t n = strlen(link);
	bool is_gone = is_deleted(link, n);
	uint64_t h = hash_bytes(1, link, is_gone ? n - strlen(DELETED) : n);

	return (h & ~FILE_IS_DELETED) | FILE_IS_SET | (is_gone ? FILE_IS_DELETED : 0);
}

bool fdname_is_another(uint64_t was, uint64_t is)
{
	/* Nothing that was deleted comes back. */
	return was && was != is && (was | FILE_IS_DELETED) != is;
}

bool fdname_look(struct fdname *f, int fd, struct fdname_is *ret)
{
	char path[64], link[4096];
	unsigned int type;
	int flags;

	if (!link_read(f, fd, link, sizeof(link)))
		return false;
	name_of_link(f, link, ret->name, sizeof(ret->name));
	ret->file = file_of(link);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", f->tid, fd);
	type = type_of(path);
	kind_get(ret, link, type);
	flags = flags_read(f->tid, fd);
	ret->note = flags < 0 ? NULL : note_of(link, type, flags);
	return true;
}

bool fdname_get(struct fdname *f, int fd, char *buf, size_t bytes, uint64_t *ret_file)
{
	char link[4096];

	if (!link_read(f, fd, link, sizeof(link)))
		return false;
	name_of_link(f, link, buf, bytes);
	if (ret_file)
		*ret_file = file_of(link);
	return true;
}
