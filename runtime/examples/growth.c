/* SPDX-License-Identifier: MIT */
/*
 * growth.c - threads grow far past GOMAXPROCS, because blocking reads block threads.
 *
 *   growth [--fifos 97] [--urandom 3] [--seconds 10]
 *
 * Goroutines read FIFOs that nobody writes (opened for reading and writing, so that the read blocks
 * and not the open) and /dev/urandom. Each read that lasts costs a thread; the P it had goes on
 * elsewhere.
 *
 *   $ growth --fifos 97 --urandom 3
 *   ready: 97 blocked in FIFOs, 3 reading /dev/urandom, pid 4711
 *   done: 97 blocked in FIFOs, 1213 reads of /dev/urandom
 */
#include <fcntl.h>
#include <grt/grt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define URANDOM_BYTES (4 << 20)
#define PATH_BYTES 288

struct work {
	int fifos, urandom, seconds;
	char dir[PATH_BYTES - 32];
	volatile sig_atomic_t should_end;
	long at_fifo; /* goroutines about to read a FIFO */
	long reads;   /* of /dev/urandom that ended */
};

static struct work work = { .fifos = 97, .urandom = 3, .seconds = 10 };

static void die(const char *what, int err)
{
	fprintf(stderr, "growth: cannot %s: %s\n", what, strerror(-err));
	exit(1);
}

static void fifo_path(char *buf, size_t bytes, long i)
{
	snprintf(buf, bytes, "%s/fifo-%ld", work.dir, i);
}

static void read_fifo(void *arg)
{
	char path[PATH_BYTES], byte;
	int fd;

	fifo_path(path, sizeof(path), (long)arg);
	fd = grt_open(path, O_RDWR, 0);
	if (fd < 0)
		die("open a FIFO", fd);
	__atomic_add_fetch(&work.at_fifo, 1, __ATOMIC_SEQ_CST);
	grt_read(fd, &byte, 1);
}

static void read_urandom(void *arg)
{
	char *buf = malloc(URANDOM_BYTES);
	int fd = grt_open("/dev/urandom", O_RDONLY, 0);

	(void)arg;
	if (fd < 0 || !buf)
		die("read /dev/urandom", fd);
	while (grt_read(fd, buf, URANDOM_BYTES) > 0)
		__atomic_add_fetch(&work.reads, 1, __ATOMIC_RELAXED);
}

static int grow(void *arg)
{
	int64_t end = grt_now() + work.seconds * 1000000000ll;

	(void)arg;
	for (long i = 0; i < work.fifos; i++)
		grt_go(read_fifo, (void *)i);
	while (__atomic_load_n(&work.at_fifo, __ATOMIC_SEQ_CST) < work.fifos)
		grt_sleep(1000000);
	for (long i = 0; i < work.urandom; i++)
		grt_go(read_urandom, NULL);
	printf("ready: %d blocked in FIFOs, %d reading /dev/urandom, pid %d\n", work.fifos,
	       work.urandom, getpid());
	while (grt_now() < end && !work.should_end)
		grt_sleep(20000000);
	printf("done: %ld blocked in FIFOs, %ld reads of /dev/urandom\n", work.at_fifo,
	       __atomic_load_n(&work.reads, __ATOMIC_RELAXED));
	return 0;
}

static void on_signal(int nr)
{
	(void)nr;
	work.should_end = 1;
}

static void make_fifos(void)
{
	const char *tmp = getenv("TMPDIR");
	char path[PATH_BYTES];

	snprintf(work.dir, sizeof(work.dir), "%s/growth-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(work.dir))
		die("make a directory", -errno);
	for (long i = 0; i < work.fifos; i++) {
		fifo_path(path, sizeof(path), i);
		if (mkfifo(path, 0600) != 0)
			die("make a FIFO", -errno);
	}
}

static void remove_fifos(void)
{
	char path[PATH_BYTES];

	for (long i = 0; i < work.fifos; i++) {
		fifo_path(path, sizeof(path), i);
		unlink(path);
	}
	rmdir(work.dir);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2) {
		int *option = i + 1 == argc                       ? NULL
			      : strcmp(argv[i], "--fifos") == 0   ? &work.fifos
			      : strcmp(argv[i], "--urandom") == 0 ? &work.urandom
			      : strcmp(argv[i], "--seconds") == 0 ? &work.seconds
								  : NULL;

		if (!option) {
			fprintf(stderr, "usage: growth [--fifos N] [--urandom N] [--seconds S]\n");
			return 2;
		}
		*option = atoi(argv[i + 1]);
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	make_fifos();
	int value = grt_run(grow, NULL);

	remove_fifos();
	return value;
}
