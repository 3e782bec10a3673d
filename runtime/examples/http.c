/* SPDX-License-Identifier: MIT */
/*
 * http.c - an HTTP/1.1 keep-alive server: a goroutine a connection, and no thread for any that
 * waits.
 *
 *   http [--port 0] [--dir DIR] [--seconds S]
 *
 *   GET /            a few bytes
 *   GET /bytes/N     N bytes
 *   GET /file/NAME   a file of DIR, read by ordinary blocking calls
 *
 *   $ http --port 8080 &
 *   listening on 127.0.0.1:8080, pid 4711
 *   $ wrk -t2 -c1000 -d5s http://127.0.0.1:8080/
 *
 * Threads stay at GOMAXPROCS plus a few however many connections there are.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <grt/grt.h>
#include <http_parser.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUF_BYTES 8192
#define URL_MAX 1024
#define BYTES_MAX (64l << 20)

static const char *dir;
static int port, seconds;
static volatile sig_atomic_t should_end;

struct conn {
	int fd;
	char url[URL_MAX];
	size_t url_len;
	bool url_too_long, has_failed;
	http_parser parser;
};

static void send_all(struct conn *c, const void *data, size_t n)
{
	ssize_t sent = c->has_failed ? 0 : grt_write(c->fd, data, n);

	if (sent != (ssize_t)n)
		c->has_failed = true;
}

static void send_head(struct conn *c, const char *status, long bytes)
{
	char head[256];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %ld\r\n%s\r\n", status,
			 bytes, http_should_keep_alive(&c->parser) ? "" : "Connection: close\r\n");

	send_all(c, head, (size_t)n);
}

/* Head and body in one write: one packet, one system call. */
static void send_text(struct conn *c, const char *status, const char *text)
{
	char all[512];
	int n = snprintf(all, sizeof(all), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s", status,
			 strlen(text),
			 http_should_keep_alive(&c->parser) ? "" : "Connection: close\r\n", text);

	send_all(c, all, (size_t)n);
}

static void send_bytes(struct conn *c, long n)
{
	static const char zeros[BUF_BYTES];

	if (n < 0 || n > BYTES_MAX) {
		send_text(c, "400 Bad Request", "too many\n");
		return;
	}
	send_head(c, "200 OK", n);
	for (long part; n > 0; n -= part) {
		part = n < BUF_BYTES ? n : BUF_BYTES;
		send_all(c, zeros, (size_t)part);
	}
}

static void send_file(struct conn *c, const char *name)
{
	char path[4096];
	struct stat st;
	off_t at = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir ? dir : "/nonexistent", name);
	fd = strstr(name, "..") ? -ENOENT : grt_open(path, O_RDONLY, 0);
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		send_text(c, "404 Not Found", "no such file\n");
		if (fd >= 0)
			grt_close(fd);
		return;
	}
	send_head(c, "200 OK", (long)st.st_size);
	while (at < st.st_size && !c->has_failed)
		if (grt_sendfile(c->fd, fd, &at, (size_t)(st.st_size - at)) <= 0)
			c->has_failed = true;
	grt_close(fd);
}

static int on_begin(http_parser *p)
{
	struct conn *c = p->data;

	c->url_len = 0;
	c->url_too_long = false;
	return 0;
}

static int on_url(http_parser *p, const char *at, size_t n)
{
	struct conn *c = p->data;

	if (c->url_len + n >= URL_MAX) {
		c->url_too_long = true;
		return 0;
	}
	memcpy(c->url + c->url_len, at, n);
	c->url_len += n;
	c->url[c->url_len] = '\0';
	return 0;
}

static int on_complete(http_parser *p)
{
	struct conn *c = p->data;

	if (c->url_too_long)
		send_text(c, "414 URI Too Long", "too long\n");
	else if (p->method != HTTP_GET)
		send_text(c, "405 Method Not Allowed", "only GET\n");
	else if (strcmp(c->url, "/") == 0)
		send_text(c, "200 OK", "hello\n");
	else if (strncmp(c->url, "/bytes/", 7) == 0)
		send_bytes(c, atol(c->url + 7));
	else if (strncmp(c->url, "/file/", 6) == 0)
		send_file(c, c->url + 6);
	else
		send_text(c, "404 Not Found", "no such page\n");
	return c->has_failed;
}

static void serve(void *arg)
{
	static const http_parser_settings settings = {
		.on_message_begin = on_begin,
		.on_url = on_url,
		.on_message_complete = on_complete,
	};
	struct conn c = { .fd = (int)(intptr_t)arg };
	char buf[BUF_BYTES];
	ssize_t n;

	http_parser_init(&c.parser, HTTP_REQUEST);
	c.parser.data = &c;
	while ((n = grt_read(c.fd, buf, sizeof(buf))) > 0) {
		size_t done = http_parser_execute(&c.parser, &settings, buf, (size_t)n);

		if (done != (size_t)n || !http_should_keep_alive(&c.parser))
			break;
	}
	grt_close(c.fd);
}

static void accept_all(void *arg)
{
	int listener = (int)(intptr_t)arg, fd, on = 1;

	for (;;) {
		fd = grt_accept(listener, NULL, NULL);
		if (fd == -EMFILE || fd == -ENFILE) {
			grt_sleep(10000000); /* until somebody closes one */
			continue;
		}
		if (fd < 0)
			break;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (grt_go(serve, (void *)(intptr_t)fd) != 0)
			grt_close(fd);
	}
	fprintf(stderr, "http: cannot accept: %s\n", strerror(-fd));
}

static int run(void *arg)
{
	struct sockaddr_in sa = { 0 };
	socklen_t len = sizeof(sa);
	char address[32];
	int64_t end = seconds ? grt_now() + seconds * 1000000000ll : INT64_MAX;
	int fd;

	(void)arg;
	snprintf(address, sizeof(address), "127.0.0.1:%d", port);
	fd = grt_listen("tcp", address);
	if (fd < 0) {
		fprintf(stderr, "http: cannot listen on %s: %s\n", address, strerror(-fd));
		return 1;
	}
	getsockname(fd, (struct sockaddr *)&sa, &len);
	printf("listening on 127.0.0.1:%d, pid %d\n", ntohs(sa.sin_port), getpid());
	grt_go(accept_all, (void *)(intptr_t)fd);
	while (!should_end && grt_now() < end)
		grt_sleep(50000000);
	return 0;
}

static void on_signal(int nr)
{
	(void)nr;
	should_end = 1;
}

static bool option_set(const char *name, const char *value)
{
	if (!value)
		return false;
	if (strcmp(name, "--port") == 0)
		port = atoi(value);
	else if (strcmp(name, "--dir") == 0)
		dir = value;
	else if (strcmp(name, "--seconds") == 0)
		seconds = atoi(value);
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2)
		if (!option_set(argv[i], argv[i + 1])) {
			fprintf(stderr, "usage: http [--port N] [--dir DIR] [--seconds S]\n");
			return 2;
		}
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGPIPE, SIG_IGN);
	return grt_run(run, NULL);
}
