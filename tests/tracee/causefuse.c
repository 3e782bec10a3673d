/* SPDX-License-Identifier: MIT */
/*
 * causefuse.c - a slow disk and a hung one, as a file system: the kernel's FUSE protocol, by hand.
 *
 *   causefuse DIR MS
 *
 * Mounts on DIR and says "ready". In it is one file, `f`: reads and fsyncs of it take MS. A look at
 * any name that starts with "hung" is never answered. Ends with the process; whoever started it
 * unmounts, or ends the mount namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_BYTES (FUSE_MIN_READ_BUFFER + (128 << 10))
#define FILE_NODE 2
#define FILE_BYTES (1 << 20)
#define LATER_MAX 4096

struct later {
	uint64_t unique, due_ns;
	uint32_t bytes; /* of zeros */
};

static int dev;
static uint64_t delay_ns;
static struct later later[LATER_MAX];
static unsigned nlater;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void reply(uint64_t unique, int error, const void *data, size_t bytes)
{
	static char out[sizeof(struct fuse_out_header) + FILE_BYTES];
	struct fuse_out_header h = { .unique = unique, .error = -error };

	h.len = (uint32_t)(sizeof(h) + bytes);
	memcpy(out, &h, sizeof(h));
	if (bytes)
		memcpy(out + sizeof(h), data, bytes);
	/* A request whose caller has gone is not there any more. */
	if (write(dev, out, h.len) < 0 && errno != ENOENT)
		exit(1);
}

static struct fuse_attr attr_of(uint64_t node)
{
	bool is_file = node == FILE_NODE;

	return (struct fuse_attr){
		.ino = node,
		.size = is_file ? FILE_BYTES : 0,
		.mode = is_file ? S_IFREG | 0644 : S_IFDIR | 0755,
		.nlink = 1,
		.blksize = 4096,
	};
}

static void on_init(const struct fuse_in_header *h)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.max_write = 65536,
		.max_background = 64,
		.congestion_threshold = 48,
	};

	reply(h->unique, 0, &out, sizeof(out));
}

static void on_lookup(const struct fuse_in_header *h, const char *name)
{
	struct fuse_entry_out out = { .nodeid = FILE_NODE, .attr = attr_of(FILE_NODE) };

	if (!strncmp(name, "hung", 4))
		return;
	if (strcmp(name, "f"))
		reply(h->unique, ENOENT, NULL, 0);
	else
		reply(h->unique, 0, &out, sizeof(out));
}

static void on_getattr(const struct fuse_in_header *h)
{
	struct fuse_attr_out out = { .attr = attr_of(h->nodeid) };

	reply(h->unique, 0, &out, sizeof(out));
}

static void on_open(const struct fuse_in_header *h)
{
	struct fuse_open_out out = { .fh = 1, .open_flags = FOPEN_DIRECT_IO };

	reply(h->unique, 0, &out, sizeof(out));
}

static void on_write(const struct fuse_in_header *h, const struct fuse_write_in *in)
{
	struct fuse_write_out out = { .size = in->size };

	reply(h->unique, 0, &out, sizeof(out));
}

static void answer_later(const struct fuse_in_header *h, uint32_t bytes)
{
	if (nlater == LATER_MAX)
		exit(1);
	later[nlater++] = (struct later){ h->unique, now_ns() + delay_ns, bytes };
}

static void on_request(const char *buf)
{
	const struct fuse_in_header *h = (const void *)buf;
	const void *body = h + 1;

	switch (h->opcode) {
	case FUSE_INIT:
		on_init(h);
		break;
	case FUSE_LOOKUP:
		on_lookup(h, body);
		break;
	case FUSE_GETATTR:
		on_getattr(h);
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		on_open(h);
		break;
	case FUSE_READ:
		answer_later(h, ((const struct fuse_read_in *)body)->size);
		break;
	case FUSE_FSYNC:
		answer_later(h, 0);
		break;
	case FUSE_WRITE:
		on_write(h, body);
		break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		reply(h->unique, 0, NULL, 0);
		break;
	case FUSE_INTERRUPT:
		/* Whoever waits for it is being killed; without this even that would hang. */
		reply(((const struct fuse_interrupt_in *)body)->unique, EINTR, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
		break;
	default:
		reply(h->unique, ENOSYS, NULL, 0);
	}
}

/* All are as slow as each other, so the first one in is the first one out. */
static int answer_due(void)
{
	static const char zeros[FILE_BYTES];
	uint64_t now = now_ns();
	unsigned n = 0;

	for (; n < nlater && later[n].due_ns <= now; n++)
		reply(later[n].unique, 0, zeros,
		      later[n].bytes < FILE_BYTES ? later[n].bytes : FILE_BYTES);
	nlater -= n;
	memmove(later, later + n, nlater * sizeof(*later));
	return nlater ? (int)((later[0].due_ns - now) / 1000000) + 1 : -1;
}

static int serve(void)
{
	static char buf[REQUEST_BYTES];

	for (;;) {
		struct pollfd p = { .fd = dev, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, answer_due()) == 0)
			continue;
		n = read(dev, buf, sizeof(buf));
		if (n < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
			continue;
		if (n < (ssize_t)sizeof(struct fuse_in_header))
			return n < 0 && errno == ENODEV ? 0 : 1;
		on_request(buf);
	}
}

int main(int argc, char **argv)
{
	char options[128];

	if (argc != 3)
		return 2;
	delay_ns = strtoull(argv[2], NULL, 10) * 1000000;
	dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=%d,group_id=%d", dev,
		 (int)getuid(), (int)getgid());
	if (dev < 0 || mount("causefuse", argv[1], "fuse", MS_NOSUID | MS_NODEV, options) < 0) {
		printf("cannot mount: %s\n", strerror(errno));
		fflush(stdout);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	return serve();
}
