/* SPDX-License-Identifier: MIT */
/*
 * healthy.c - a libgrt program that blocks no thread, however busy it is: idle, computing, server,
 * timers, mutexes. Says "ready".
 *
 *   healthy NAME
 */
#include <grt/grt.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PERIOD_NS 10000000
#define REQUESTS 1000 /* a connection */

static void sleep_long(void *arg)
{
	(void)arg;
	for (;;)
		grt_sleep(1000000000);
}

static void compute(void *arg)
{
	volatile unsigned long sum = (unsigned long)(uintptr_t)arg;

	for (unsigned long i = 0;; i++) {
		sum += i;
		if (i % 65536 == 0)
			grt_yield();
	}
}

static void tick(void *arg)
{
	(void)arg;
	for (;;)
		grt_sleep(PERIOD_NS);
}

static grt_mutex mutex;

static void take_turns(void *arg)
{
	(void)arg;
	for (;;) {
		grt_mutex_lock(&mutex);
		grt_sleep(PERIOD_NS / 10);
		grt_mutex_unlock(&mutex);
	}
}

static void echo(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char buf[64];
	ssize_t n;

	while ((n = grt_read(fd, buf, sizeof(buf))) > 0)
		if (grt_write(fd, buf, (size_t)n) != n)
			break;
	grt_close(fd);
}

static void client(void *arg)
{
	char buf[64] = "ping";

	for (;;) {
		int fd = grt_dial("tcp", arg);

		for (int i = 0; fd >= 0 && i < REQUESTS; i++)
			if (grt_write(fd, buf, sizeof(buf)) < 0 ||
			    grt_read(fd, buf, sizeof(buf)) <= 0)
				break;
		if (fd >= 0)
			grt_close(fd);
		else
			grt_sleep(PERIOD_NS);
	}
}

static void serve(void *arg)
{
	static char address[32];
	struct sockaddr_in in = { 0 };
	socklen_t len = sizeof(in);
	int fd = grt_listen("tcp", "127.0.0.1:0");

	(void)arg;
	if (fd < 0 || getsockname(fd, (struct sockaddr *)&in, &len) < 0)
		exit(1);
	snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(in.sin_port));
	for (int i = 0; i < 8; i++)
		grt_go(client, address);
	for (;;) {
		int connection = grt_accept(fd, NULL, NULL);

		if (connection >= 0)
			grt_go(echo, (void *)(intptr_t)connection);
	}
}

static const struct {
	const char *name;
	void (*run)(void *arg);
	int goroutines;
} kinds[] = {
	{ "idle", sleep_long, 1 }, { "computing", compute, 4 },    { "server", serve, 1 },
	{ "timers", tick, 100 },   { "mutexes", take_turns, 100 },
};

static int main_fn(void *arg)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (int n = 0; !strcmp(kinds[i].name, arg) && n < kinds[i].goroutines; n++)
			grt_go(kinds[i].run, NULL);
	grt_sleep(PERIOD_NS);
	puts("ready");
	fflush(stdout);
	sleep_long(NULL);
	return 0;
}

int main(int argc, char **argv)
{
	return argc == 2 ? grt_run(main_fn, argv[1]) : 2;
}
