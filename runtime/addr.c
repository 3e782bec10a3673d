/* SPDX-License-Identifier: MIT */
/* addr.c - see addr.h. */
#include "addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define HOST_MAX 64
#define PORT_MAX 65535

/* A path, or "@name" for an abstract address (the kernel wants a zero byte there). */
static int parse_unix(struct addr *ret, const char *path)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&ret->sa;
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof(un->sun_path))
		return -EINVAL;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, n);
	if (path[0] == '@')
		un->sun_path[0] = '\0';
	ret->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (path[0] != '@'));
	return 0;
}

/* "host:port", "[v6]:port", ":port" -> host without brackets, port. */
static int split(const char *address, char host[HOST_MAX], in_port_t *ret_port)
{
	const char *colon = strrchr(address, ':');
	size_t n = colon ? (size_t)(colon - address) : 0;
	char *end;
	long port;

	if (!colon || n >= HOST_MAX || colon[1] < '0' || colon[1] > '9')
		return -EINVAL;
	port = strtol(colon + 1, &end, 10);
	if (*end != '\0' || port > PORT_MAX)
		return -EINVAL;
	if (address[0] == '[') {
		if (n < 2 || address[n - 1] != ']')
			return -EINVAL;
		address++;
		n -= 2;
	}
	memcpy(host, address, n);
	host[n] = '\0';
	*ret_port = htons((in_port_t)port);
	return 0;
}

static bool set_v4(struct addr *ret, const char *host, in_port_t port, bool is_local)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&ret->sa;

	in->sin_family = AF_INET;
	in->sin_port = port;
	in->sin_addr.s_addr = htonl(is_local ? INADDR_ANY : INADDR_LOOPBACK);
	ret->len = sizeof(*in);
	return !*host || inet_pton(AF_INET, host, &in->sin_addr) == 1;
}

static bool set_v6(struct addr *ret, const char *host, in_port_t port, bool is_local)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ret->sa;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = port;
	in6->sin6_addr = is_local ? in6addr_any : in6addr_loopback;
	ret->len = sizeof(*in6);
	return !*host || inet_pton(AF_INET6, host, &in6->sin6_addr) == 1;
}

int addr_parse(struct addr *ret, const char *network, const char *address, bool is_local)
{
	bool is_tcp = strncmp(network, "tcp", 3) == 0, is_udp = strncmp(network, "udp", 3) == 0;
	char host[HOST_MAX];
	in_port_t port;
	char family;

	memset(ret, 0, sizeof(*ret));
	ret->type = is_udp || strcmp(network, "unixgram") == 0 ? SOCK_DGRAM : SOCK_STREAM;
	if (strcmp(network, "unix") == 0 || strcmp(network, "unixgram") == 0)
		return parse_unix(ret, address);
	if (!(is_tcp || is_udp) || (network[3] && network[4]) || split(address, host, &port) != 0)
		return -EINVAL;
	family = network[3];
	if (family == '6' || (family == '\0' && strchr(host, ':')))
		return set_v6(ret, host, port, is_local) ? 0 : -EINVAL;
	if (family != '\0' && family != '4')
		return -EINVAL;
	return set_v4(ret, host, port, is_local) ? 0 : -EINVAL;
}
