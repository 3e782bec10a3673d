/* SPDX-License-Identifier: MIT */
/*
 * files.c - a folder of files is read with ordinary blocking reads while other goroutines compute.
 *
 *   files DIR [--readers 16] [--rounds 1]
 *
 * Readers take file after file; a read that has to wait for the disk costs its thread, not its P,
 * so that the two goroutines that compute go on all the time.
 *
 *   $ files /usr/include
 *   ready: 16 readers, pid 4711
 *   done: 2214 files, 16293813 bytes, checksum 5d1fca07; computing made 48210 rounds meanwhile
 */
#include <dirent.h>
#include <fcntl.h>
#include <grt/grt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES 65536
#define COMPUTERS 2
#define ROUND_STEPS 10000

struct list {
	char **name;
	int n, cap;
};

static const char *dir;
static int readers = 16, repeat = 1;
static struct list files;
static int next_file;
static long bytes_read, files_read, rounds;
static unsigned checksum;
static grt_waitgroup at_work = GRT_WAITGROUP_INIT;

static void die(const char *what, const char *name, int err)
{
	fprintf(stderr, "files: cannot %s %s: %s\n", what, name, strerror(-err));
	exit(1);
}

static void list_add(struct list *l, const char *name)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->name = realloc(l->name, (size_t)l->cap * sizeof(*l->name));
	}
	if (l->name)
		l->name[l->n++] = strdup(name);
}

static void list_read(struct list *l)
{
	DIR *d = opendir(dir);

	if (!d)
		die("open", dir, -errno);
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_type == DT_REG)
			list_add(l, e->d_name);
	closedir(d);
}

/* One file, start to end; the sum is the same in whatever order files are read. */
static void read_file(const char *name, char *buf)
{
	char path[4096];
	unsigned sum = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = grt_open(path, O_RDONLY, 0);
	if (fd < 0)
		die("open", path, fd);
	while ((n = grt_read(fd, buf, READ_BYTES)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			sum = sum * 31 + (unsigned char)buf[i];
		__atomic_add_fetch(&bytes_read, n, __ATOMIC_RELAXED);
	}
	if (n < 0)
		die("read", path, (int)n);
	grt_close(fd);
	__atomic_add_fetch(&checksum, sum, __ATOMIC_RELAXED);
	__atomic_add_fetch(&files_read, 1, __ATOMIC_RELAXED);
}

static void reader(void *arg)
{
	char *buf = malloc(READ_BYTES);
	int i;

	(void)arg;
	while (buf && (i = __atomic_fetch_add(&next_file, 1, __ATOMIC_RELAXED)) < files.n * repeat)
		read_file(files.name[i % files.n], buf);
	free(buf);
	grt_waitgroup_done(&at_work);
}

static void computer(void *arg)
{
	(void)arg;
	for (;;) {
		for (volatile int i = 0; i < ROUND_STEPS; i++)
			;
		__atomic_add_fetch(&rounds, 1, __ATOMIC_RELAXED);
		grt_yield();
	}
}

static int run(void *arg)
{
	(void)arg;
	list_read(&files);
	printf("ready: %d readers, pid %d\n", readers, getpid());
	grt_waitgroup_add(&at_work, readers);
	for (int i = 0; i < readers; i++)
		grt_go(reader, NULL);
	for (int i = 0; i < COMPUTERS; i++)
		grt_go(computer, NULL);
	grt_waitgroup_wait(&at_work);
	printf("done: %ld files, %ld bytes, checksum %08x; computing made %ld rounds meanwhile\n",
	       files_read, bytes_read, checksum, __atomic_load_n(&rounds, __ATOMIC_RELAXED));
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: files DIR [--readers N] [--rounds N]\n");
	return 2;
}

int main(int argc, char **argv)
{
	if (argc < 2 || argv[1][0] == '-')
		return usage();
	dir = argv[1];
	for (int i = 2; i < argc; i += 2) {
		if (i + 1 < argc && strcmp(argv[i], "--readers") == 0)
			readers = atoi(argv[i + 1]);
		else if (i + 1 < argc && strcmp(argv[i], "--rounds") == 0)
			repeat = atoi(argv[i + 1]);
		else
			return usage();
	}
	if (readers < 1 || repeat < 1)
		return usage();
	setvbuf(stdout, NULL, _IOLBF, 0);
	return grt_run(run, NULL);
}
