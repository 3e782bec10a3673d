/* SPDX-License-Identifier: MIT */
/* names_test.c - descriptors and functions of this process, by the names users give them. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../tools/target/fdname.h"
#include "../../tools/target/pathname.h"
#include "../../tools/target/symname.h"

static char name[512];

static bool fd_of(struct fdname *f, int fd)
{
	return fdname_get(f, fd, name, sizeof(name), NULL);
}

static void files_pipes_and_anonymous_inodes(void **state)
{
	char path[] = "/tmp/names_test.XXXXXX";
	struct fdname *f = fdname_new(getpid());
	int file = mkstemp(path), epoll = epoll_create1(0), event = eventfd(0, 0), ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_true(fd_of(f, file));
	assert_string_equal(name, path);
	assert_true(fd_of(f, ends[0]));
	assert_int_equal(strncmp(name, "pipe:[", 6), 0);
	assert_true(fd_of(f, epoll));
	assert_string_equal(name, "epoll");
	assert_true(fd_of(f, event));
	assert_string_equal(name, "[eventfd]");

	close(file);
	assert_false(fd_of(f, file));
	unlink(path);
	close(epoll);
	close(event);
	close(ends[0]);
	close(ends[1]);
	fdname_free(f);
}

static int listener(int family, struct sockaddr_storage *addr, socklen_t *len)
{
	int fd = socket(family, SOCK_STREAM, 0);

	memset(addr, 0, sizeof(*addr));
	addr->ss_family = (sa_family_t)family;
	*len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	if (family == AF_INET)
		((struct sockaddr_in *)addr)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		((struct sockaddr_in6 *)addr)->sin6_addr = in6addr_loopback;
	if (fd < 0 || bind(fd, (struct sockaddr *)addr, *len) < 0 || listen(fd, 1) < 0) {
		close(fd);
		return -1;
	}
	getsockname(fd, (struct sockaddr *)addr, len);
	return fd;
}

static void sockets_have_their_two_ends(int family, const char *address)
{
	struct fdname *f = fdname_new(getpid());
	struct sockaddr_storage addr;
	socklen_t len;
	int server = listener(family, &addr, &len), client, port;
	char want[128];

	if (server < 0)
		skip();
	port = ntohs(family == AF_INET ? ((struct sockaddr_in *)&addr)->sin_port
				       : ((struct sockaddr_in6 *)&addr)->sin6_port);
	client = socket(family, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&addr, len), 0);

	assert_true(fd_of(f, server));
	snprintf(want, sizeof(want), "tcp %s:%d listening", address, port);
	assert_string_equal(name, want);
	assert_true(fd_of(f, client));
	snprintf(want, sizeof(want), "->%s:%d", address, port);
	assert_non_null(strstr(name, want));
	assert_int_equal(strncmp(name, "tcp ", 4), 0);
	close(client);
	close(server);
	fdname_free(f);
}

static void tcp_over_ipv4(void **state)
{
	(void)state;
	sockets_have_their_two_ends(AF_INET, "127.0.0.1");
}

static void tcp_over_ipv6(void **state)
{
	(void)state;
	sockets_have_their_two_ends(AF_INET6, "[::1]");
}

static void sockets_made_later_need_a_refresh(void **state)
{
	struct fdname *f = fdname_new(getpid());
	struct sockaddr_storage addr;
	socklen_t len;
	int first = listener(AF_INET, &addr, &len), second;

	(void)state;
	assert_true(fd_of(f, first));
	second = listener(AF_INET, &addr, &len);

	assert_true(fd_of(f, second));
	assert_int_equal(strncmp(name, "socket:[", 8), 0);
	fdname_refresh(f);
	assert_true(fd_of(f, second));
	assert_int_equal(strncmp(name, "tcp 127.0.0.1:", 14), 0);
	close(first);
	close(second);
	fdname_free(f);
}

static void unix_sockets_show_their_path(void **state)
{
	struct fdname *f = fdname_new(getpid());
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp/names_test.%d", getpid());
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_true(fd_of(f, fd));
	assert_int_equal(strncmp(name, "unix /tmp/names_test.", 21), 0);
	unlink(addr.sun_path);
	close(fd);
	fdname_free(f);
}

static __attribute__((noinline)) long a_function_of_ours(long v)
{
	__asm__ volatile("" : "+r"(v));
	return v + 1;
}

static void connected_unix_sockets_show_both_ends(void **state)
{
	struct fdname *f = fdname_new(getpid());
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int pair[2], server = socket(AF_UNIX, SOCK_STREAM, 0), near, far;
	char want[64], path[128];
	struct stat st[2];

	(void)state;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp/names_test.%d", getpid());
	assert_int_equal(bind(server, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(server, 1), 0);
	near = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(near, (struct sockaddr *)&addr, sizeof(addr)), 0);
	far = accept(server, NULL, NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(fstat(pair[0], &st[0]) | fstat(pair[1], &st[1]), 0);
	snprintf(want, sizeof(want), "unix:[%lu]->[%lu]", (unsigned long)st[0].st_ino,
		 (unsigned long)st[1].st_ino);
	assert_true(fd_of(f, pair[0]));
	assert_string_equal(name, want);
	snprintf(path, sizeof(path), "->%s", addr.sun_path);
	assert_true(fd_of(f, near));
	assert_non_null(strstr(name, path));
	assert_true(fd_of(f, server));
	assert_null(strstr(name, "->"));

	unlink(addr.sun_path);
	close(server);
	close(near);
	close(far);
	close(pair[0]);
	close(pair[1]);
	fdname_free(f);
}

static bool note_of(struct fdname *f, int fd)
{
	struct fdname_is is;

	if (!fdname_look(f, fd, &is))
		return false;
	assert_non_null(is.note);
	snprintf(name, sizeof(name), "%s", is.note);
	return true;
}

static void what_blocks_a_thread_is_noted(void **state)
{
	struct fdname *f = fdname_new(getpid());
	char path[] = "/tmp/names_test.XXXXXX", fifo[64];
	int file = mkstemp(path), ends[2], pair[2], named, event = eventfd(0, 0);

	(void)state;
	snprintf(fifo, sizeof(fifo), "%s.fifo", path);
	assert_int_equal(pipe(ends) | mkfifo(fifo, 0600), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	named = open(fifo, O_RDWR);
	assert_true(note_of(f, ends[0]));
	assert_string_equal(name, "pipe in blocking mode");
	assert_true(note_of(f, named));
	assert_string_equal(name, "pipe in blocking mode");
	assert_true(note_of(f, pair[0]));
	assert_string_equal(name, "socket in blocking mode");
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	fcntl(named, F_SETFL, O_NONBLOCK);
	assert_true(note_of(f, pair[0]));
	assert_string_equal(name, "");
	assert_true(note_of(f, named));
	assert_string_equal(name, "");
	assert_true(note_of(f, event));
	assert_string_equal(name, "");
	assert_true(note_of(f, file));
	assert_string_equal(name, "");
	unlink(path);
	assert_true(note_of(f, file));
	assert_string_equal(name, "deleted");
	close(file);
	assert_false(note_of(f, file));

	unlink(fifo);
	close(named);
	close(event);
	for (int i = 0; i < 2; i++) {
		close(ends[i]);
		close(pair[i]);
	}
	fdname_free(f);
}

static const char *kind_of(struct fdname *f, int fd)
{
	static struct fdname_is is;

	assert_true(fdname_look(f, fd, &is));
	return is.kind;
}

static void descriptors_have_a_kind(void **state)
{
	char path[] = "/tmp/names_test.XXXXXX";
	struct fdname *f = fdname_new(getpid());
	int file = mkstemp(path), ends[2], fifo, socket_fd = socket(AF_INET, SOCK_STREAM, 0);
	int epoll = epoll_create1(0), event = eventfd(0, 0), null = open("/dev/null", O_RDONLY);
	int inotify = inotify_init(), dir = open("/tmp", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_string_equal(kind_of(f, file), "file");
	unlink(path);
	assert_string_equal(kind_of(f, file), "file");
	assert_int_equal(pipe(ends) | mkfifo(path, 0600), 0);
	fifo = open(path, O_RDWR);
	assert_string_equal(kind_of(f, fifo), "FIFO");
	assert_string_equal(kind_of(f, ends[0]), "pipe");
	assert_string_equal(kind_of(f, socket_fd), "socket");
	assert_string_equal(kind_of(f, epoll), "epoll");
	assert_string_equal(kind_of(f, event), "eventfd");
	assert_string_equal(kind_of(f, inotify), "inotify");
	assert_string_equal(kind_of(f, null), "device");
	assert_string_equal(kind_of(f, dir), "directory");
	unlink(path);
	for (int *fd = (int[]){ file, ends[0], ends[1], fifo, socket_fd, epoll, event, null,
				inotify, dir, -1 };
	     *fd >= 0; fd++)
		close(*fd);
	fdname_free(f);
}

static char room[] = "/tmp/names_test.XXXXXX";

static enum pathname_is look(const char *file, unsigned int *type)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", room, file);
	return pathname_look(getpid(), AT_FDCWD, path, type);
}

/* Who sleeps in the open of a FIFO keeps its name in the kernel's cache. */
static void *opener(void *path)
{
	return (void *)(intptr_t)open(path, O_RDONLY | O_CLOEXEC);
}

static void paths_are_there_or_gone(void **state)
{
	char fifo[64], link[64], deep[64], in_deep[64];
	unsigned int type;
	pthread_t sleeper;
	int dir, writer;

	(void)state;
	assert_non_null(mkdtemp(room));
	snprintf(fifo, sizeof(fifo), "%s/fifo", room);
	snprintf(link, sizeof(link), "%s/link", room);
	assert_int_equal(mkfifo(fifo, 0600) | symlink(fifo, link), 0);
	dir = open(room, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(pthread_create(&sleeper, NULL, opener, fifo), 0);

	assert_int_equal(look("fifo", &type), PATHNAME_THERE);
	assert_int_equal(type, S_IFIFO);
	assert_int_equal(look("link", &type), PATHNAME_THERE);
	assert_int_equal(pathname_look(getpid(), dir, "fifo", &type), PATHNAME_THERE);
	assert_int_equal(look("never", &type), PATHNAME_GONE);
	assert_int_equal(look("no/such", &type), PATHNAME_GONE);
	/* A whole tree that is gone. */
	snprintf(deep, sizeof(deep), "%s/deep", room);
	snprintf(in_deep, sizeof(in_deep), "%s/deep/fifo", room);
	assert_int_equal(mkdir(deep, 0700) | mkfifo(in_deep, 0600), 0);
	assert_int_equal(look("deep/fifo", &type), PATHNAME_THERE);
	assert_int_equal(unlink(in_deep) | rmdir(deep), 0);
	assert_int_equal(look("deep/fifo", &type), PATHNAME_GONE);
	/* The writer wakes the sleeper, so that it can be waited for; then the name goes. */
	writer = open(fifo, O_WRONLY | O_CLOEXEC);
	unlink(fifo);
	assert_int_equal(look("fifo", &type), PATHNAME_GONE);
	assert_int_equal(pathname_look(getpid(), dir, "fifo", &type), PATHNAME_GONE);
	assert_int_equal(pathname_look(getpid(), -1, "fifo", &type), PATHNAME_UNKNOWN);

	pthread_join(sleeper, NULL);
	unlink(link);
	rmdir(room);
	close(writer);
	close(dir);
}

static void functions_have_names(void **state)
{
	struct symname *s = symname_new(getpid());

	(void)state;
	assert_int_equal(a_function_of_ours(1), 2);
	assert_true(symname_get(s, (uint64_t)(uintptr_t)a_function_of_ours, name, sizeof(name)));
	assert_string_equal(name, "a_function_of_ours");
	assert_true(
		symname_get(s, (uint64_t)(uintptr_t)a_function_of_ours + 1, name, sizeof(name)));
	assert_string_equal(name, "a_function_of_ours");
	symname_free(s);
}

static void functions_of_libraries_too(void **state)
{
	struct symname *s = symname_new(getpid());
	void *addr = dlsym(RTLD_DEFAULT, "usleep");

	(void)state;
	assert_non_null(addr);
	assert_true(symname_get(s, (uint64_t)(uintptr_t)addr, name, sizeof(name)));
	assert_string_equal(name, "usleep");
	symname_free(s);
}

static void addresses_outside_of_any_file_have_none(void **state)
{
	struct symname *s = symname_new(getpid());
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_false(symname_get(s, 0, name, sizeof(name)));
	assert_false(symname_get(s, (uint64_t)(uintptr_t)page, name, sizeof(name)));
	for (uint64_t i = 0; i < 1000; i++) /* far more than are remembered */
		assert_false(symname_get(s, i, name, sizeof(name)));
	munmap(page, 4096);
	symname_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_pipes_and_anonymous_inodes),
		cmocka_unit_test(tcp_over_ipv4),
		cmocka_unit_test(tcp_over_ipv6),
		cmocka_unit_test(sockets_made_later_need_a_refresh),
		cmocka_unit_test(unix_sockets_show_their_path),
		cmocka_unit_test(connected_unix_sockets_show_both_ends),
		cmocka_unit_test(what_blocks_a_thread_is_noted),
		cmocka_unit_test(descriptors_have_a_kind),
		cmocka_unit_test(paths_are_there_or_gone),
		cmocka_unit_test(functions_have_names),
		cmocka_unit_test(functions_of_libraries_too),
		cmocka_unit_test(addresses_outside_of_any_file_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
