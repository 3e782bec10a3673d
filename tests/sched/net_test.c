/* SPDX-License-Identifier: MIT */
/* net_test.c - sockets: bursts of connections, connecting, deadlines, addresses, datagrams. */
#include "runtime_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "books.h"

#define MS 1000000ll
#define BURST 256
#define ADDRESS_MAX 64

static int counter;

static int seen(void)
{
	return __atomic_load_n(&counter, __ATOMIC_SEQ_CST);
}

static void count(void)
{
	__atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
}

/* "127.0.0.1:port" of a socket bound to any port there. */
static const char *address_of(int fd, char buf[ADDRESS_MAX])
{
	struct sockaddr_in in;
	socklen_t len = sizeof(in);

	EXPECT_EQ(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	snprintf(buf, ADDRESS_MAX, "127.0.0.1:%d", ntohs(in.sin_port));
	return buf;
}

static int listener(char address[ADDRESS_MAX])
{
	int fd = grt_listen("tcp", "127.0.0.1:0");

	EXPECT(fd >= 0, "listen: %d", fd);
	address_of(fd, address);
	return fd;
}

static void accept_for_ever(void *arg)
{
	int fd, lfd = *(int *)arg;

	while ((fd = grt_accept(lfd, NULL, NULL)) >= 0) {
		EXPECT_EQ(grt_write(fd, "s", 1), 1);
		EXPECT_EQ(grt_close(fd), 0);
		count();
	}
	EXPECT_EQ(fd, -EBADF);
}

/* Connections by plain calls: all are there before anybody accepts. */
static void connect_burst(int lfd, int fd[BURST])
{
	struct sockaddr_in in;
	socklen_t len = sizeof(in);

	EXPECT_EQ(getsockname(lfd, (struct sockaddr *)&in, &len), 0);
	for (int i = 0; i < BURST; i++) {
		fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		EXPECT_EQ(connect(fd[i], (struct sockaddr *)&in, len), 0);
	}
}

static void serve_burst(int acceptors, bool are_waiting)
{
	char address[ADDRESS_MAX];
	int fd[BURST], lfd = listener(address);

	for (int i = 0; are_waiting && i < acceptors; i++)
		EXPECT_EQ(grt_go(accept_for_ever, &lfd), 0);
	if (are_waiting)
		AWAIT(waiters() == 1);
	connect_burst(lfd, fd);
	for (int i = 0; !are_waiting && i < acceptors; i++)
		EXPECT_EQ(grt_go(accept_for_ever, &lfd), 0);

	/* then all are served without another connection to help */
	AWAIT(seen() == BURST);
	for (int i = 0; i < BURST; i++) {
		char c;

		EXPECT_EQ(read(fd[i], &c, 1), 1);
		close(fd[i]);
	}
	EXPECT_EQ(grt_close(lfd), 0);
	AWAIT(waiters() == 0);
}

RUNTIME_TEST(a_burst_is_served_wholly_by_one, 2)
{
	serve_burst(1, false);
}

RUNTIME_TEST(a_burst_is_served_wholly_by_two, 2)
{
	serve_burst(2, false);
}

RUNTIME_TEST(a_burst_is_served_wholly_by_eight, 2)
{
	serve_burst(8, false);
}

RUNTIME_TEST(a_burst_is_served_wholly_by_eight_that_wait, 2)
{
	serve_burst(8, true);
}

RUNTIME_TEST(a_burst_is_served_wholly_on_one_p, 1)
{
	serve_burst(1, true);
}

static void dial_and_read(void *arg)
{
	int fd = grt_dial("tcp", arg);
	char c = 0;

	EXPECT(fd >= 0, "dial: %d", fd);
	EXPECT_EQ(grt_read(fd, &c, 1), 1);
	EXPECT_EQ(c, 's');
	EXPECT_EQ(grt_read(fd, &c, 1), 0);
	EXPECT_EQ(grt_close(fd), 0);
	count();
}

RUNTIME_TEST(goroutines_dial_and_accept_each_other, 2)
{
	char address[ADDRESS_MAX];
	int lfd = listener(address);

	EXPECT_EQ(grt_go(accept_for_ever, &lfd), 0);
	for (int i = 0; i < 100; i++)
		EXPECT_EQ(grt_go(dial_and_read, address), 0);
	AWAIT(seen() == 200);
	EXPECT_EQ(grt_close(lfd), 0);
	AWAIT(waiters() == 0);
}

RUNTIME_TEST(what_connects_says_why_it_failed, 2)
{
	char address[ADDRESS_MAX];
	int lfd = listener(address);

	/* given a port on which nobody listens any more */
	EXPECT_EQ(grt_close(lfd), 0);
	EXPECT_EQ(grt_dial("tcp", address), -ECONNREFUSED);
	EXPECT_EQ(grt_dial("unix", "@nobody-listens-here"), -ECONNREFUSED);
	EXPECT_EQ(grt_dial("unix", "/nowhere/at/all"), -ENOENT);
	EXPECT_EQ(grt_accept(lfd, NULL, NULL), -EBADF);
	AWAIT(waiters() == 0);
}

/* A queue of connections that is full makes the kernel drop the next one's first packet. */
RUNTIME_TEST(connecting_keeps_its_deadline, 2)
{
	char address[ADDRESS_MAX];
	int fd, lfd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), n = 0;
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int64_t deadline;

	EXPECT_EQ(bind(lfd, (struct sockaddr *)&in, sizeof(in)), 0);
	EXPECT_EQ(listen(lfd, 0), 0);
	address_of(lfd, address);
	do {
		deadline = grt_now() + 50 * MS;
		fd = grt_dial_dl("tcp", address, deadline);
	} while (fd >= 0 && ++n < 16);

	EXPECT_EQ(fd, -ETIMEDOUT);
	EXPECT(grt_now() >= deadline, "not before its time");
	AWAIT(waiters() == 0);
}

RUNTIME_TEST(accepting_keeps_its_deadline, 2)
{
	char address[ADDRESS_MAX];
	int64_t deadline = grt_now() + 20 * MS;
	int lfd = listener(address);

	EXPECT_EQ(grt_accept_dl(lfd, NULL, NULL, deadline), -ETIMEDOUT);
	EXPECT(grt_now() >= deadline, "not before its time");
	AWAIT(waiters() == 0);
}

RUNTIME_TEST(datagrams_keep_their_sender, 2)
{
	int a = grt_listen("udp", "127.0.0.1:0"), b = grt_listen("udp", "127.0.0.1:0"), c;
	struct sockaddr_in to, from;
	socklen_t len = sizeof(to);
	char buf[16], address[ADDRESS_MAX];

	EXPECT(a >= 0 && b >= 0, "udp: %d, %d", a, b);
	EXPECT_EQ(getsockname(b, (struct sockaddr *)&to, &len), 0);
	EXPECT_EQ(grt_sendto(a, "hello", 5, 0, (struct sockaddr *)&to, len), 5);
	EXPECT_EQ(grt_recvfrom(b, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len), 5);
	EXPECT_EQ(memcmp(buf, "hello", 5), 0);

	/* and it can be answered */
	EXPECT_EQ(grt_sendto(b, "you", 3, 0, (struct sockaddr *)&from, len), 3);
	EXPECT_EQ(grt_recvfrom_dl(a, buf, sizeof(buf), 0, NULL, NULL, grt_now() + 1000 * MS), 3);
	EXPECT_EQ(grt_recvfrom_dl(a, buf, sizeof(buf), 0, NULL, NULL, grt_now() + MS), -ETIMEDOUT);

	/* a dialled one needs no address */
	c = grt_dial("udp", address_of(b, address));
	EXPECT(c >= 0, "dial udp: %d", c);
	EXPECT_EQ(grt_write(c, "hey", 3), 3);
	EXPECT_EQ(grt_read(b, buf, sizeof(buf)), 3);
}

/* A descriptor travels through a Unix socket by recvmsg, as with the system's own calls. */
RUNTIME_TEST(messages_carry_descriptors, 2)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int lfd = grt_listen("unix", "@grt-net-test"), a = grt_dial("unix", "@grt-net-test"), b,
	    fd[2];
	char byte;

	EXPECT(lfd >= 0 && a >= 0, "unix: %d, %d", lfd, a);
	b = grt_accept(lfd, NULL, NULL);
	EXPECT_EQ(grt_pipe(fd), 0);
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
			       .cmsg_level = SOL_SOCKET,
			       .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(c), &fd[1], sizeof(int));
	EXPECT_EQ(grt_sendmsg(a, &m, 0), 1);

	memset(control.buf, 0, sizeof(control.buf));
	iov.iov_base = &byte;
	EXPECT_EQ(grt_recvmsg(b, &m, 0), 1);
	memcpy(&fd[1], CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	EXPECT_EQ(write(fd[1], "z", 1), 1);
	EXPECT_EQ(grt_read(fd[0], &byte, 1), 1);
	EXPECT_EQ(byte, 'z');
}

RUNTIME_TEST(a_bad_address_is_refused, 1)
{
	static const char *const bad[][2] = {
		{ "tcp", "127.0.0.1" },       { "tcp", "127.0.0.1:" },
		{ "tcp", "127.0.0.1:65536" }, { "tcp", "127.0.0.1:80x" },
		{ "tcp", "name.invalid:80" }, { "tcp4", "[::1]:80" },
		{ "tcp6", "127.0.0.1:80" },   { "tcp5", "127.0.0.1:80" },
		{ "sctp", "127.0.0.1:80" },   { "unix", "" },
		{ "tcp", "[::1:80" },         { "", "127.0.0.1:80" },
	};
	static char too_long[sizeof(((struct sockaddr_un *)0)->sun_path) + 2];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT(grt_listen(bad[i][0], bad[i][1]) == -EINVAL, "%s %s", bad[i][0], bad[i][1]);
	memset(too_long, 'x', sizeof(too_long) - 1);
	EXPECT_EQ(grt_listen("unix", too_long), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_is_served_wholly_by_one),
		cmocka_unit_test(a_burst_is_served_wholly_by_two),
		cmocka_unit_test(a_burst_is_served_wholly_by_eight),
		cmocka_unit_test(a_burst_is_served_wholly_by_eight_that_wait),
		cmocka_unit_test(a_burst_is_served_wholly_on_one_p),
		cmocka_unit_test(goroutines_dial_and_accept_each_other),
		cmocka_unit_test(what_connects_says_why_it_failed),
		cmocka_unit_test(connecting_keeps_its_deadline),
		cmocka_unit_test(accepting_keeps_its_deadline),
		cmocka_unit_test(datagrams_keep_their_sender),
		cmocka_unit_test(messages_carry_descriptors),
		cmocka_unit_test(a_bad_address_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
