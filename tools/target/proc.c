/* SPDX-License-Identifier: MIT */
/* proc.c - see proc.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc.h"

#define PF_EXITING 0x00000004u
#define PF_KTHREAD 0x00200000u
#define NS_PER_SEC 1000000000ull

/* Reads at most bytes - 1 and ends them with 0. Returns how many, or -errno. */
static ssize_t file_read(const char *path, char *ret, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got = 0;

	if (fd < 0)
		return -errno;
	while (n < bytes - 1 && (got = read(fd, ret + n, bytes - 1 - n)) > 0)
		n += (size_t)got;
	got = got < 0 ? -errno : (ssize_t)n;
	close(fd);
	ret[n] = 0;
	return got;
}

ssize_t proc_small_read(int dir, const char *path, char *ret, size_t bytes)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, ret, bytes - 1);
	if (n < 0)
		n = -errno;
	else
		ret[n] = '\0';
	close(fd);
	return n;
}

int proc_line_read(const char *path, char *ret, size_t bytes)
{
	ssize_t n = file_read(path, ret, bytes);

	if (n < 0)
		return (int)n;
	ret[strcspn(ret, "\n")] = 0;
	return 0;
}

void proc_text_tame(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

/* "4711 (name (with) brackets) S 1 ...": the name ends at the last bracket. */
int proc_stat_read(pid_t pid, struct proc_stat *ret)
{
	uint64_t ticks, hz = (uint64_t)sysconf(_SC_CLK_TCK);
	char path[32], text[1024], *name, *end;
	ssize_t n;

	memset(ret, 0, sizeof(*ret));
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	n = file_read(path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	name = strchr(text, '(');
	end = strrchr(text, ')');
	if (!name || !end || end < name)
		return -ESRCH; /* it ended while we read */
	*end = 0;
	snprintf(ret->comm, sizeof(ret->comm), "%s", name + 1);
	proc_text_tame(ret->comm);
	if (sscanf(end + 1,
		   " %c %d %*d %*d %*d %*d %" SCNu64
		   " %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
		   &ret->state, &ret->ppid, &ret->flags, &ticks) != 4)
		return -ESRCH;
	ret->start_ns = ticks / hz * NS_PER_SEC + ticks % hz * (NS_PER_SEC / hz);
	return 0;
}

bool proc_stat_is_kernel_thread(const struct proc_stat *s)
{
	return (s->flags & PF_KTHREAD) != 0;
}

bool proc_stat_is_dead(const struct proc_stat *s)
{
	return s->state == 'Z' || s->state == 'X' || s->state == 'x';
}

bool proc_stat_is_exiting(const struct proc_stat *s)
{
	return (s->flags & PF_EXITING) != 0 || proc_stat_is_dead(s);
}

/* "NSpid:\t4711\t12\t1": from the namespace of this /proc inwards. */
static void ns_pids_parse(const char *text, struct proc_status *ret)
{
	char *end;

	for (int level = 0;; level++, text = end) {
		long pid = strtol(text, &end, 10);

		if (end == text)
			break;
		ret->ns_level = level;
		ret->ns_pid = (pid_t)pid;
	}
}

int proc_status_read(pid_t pid, struct proc_status *ret)
{
	char path[32], *line = NULL;
	bool has_tgid = false, has_uid = false;
	size_t cap = 0;
	FILE *f;

	memset(ret, 0, sizeof(*ret));
	ret->ns_pid = pid; /* a kernel without NSpid has no namespaces either */
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (getline(&line, &cap, f) > 0) {
		if (sscanf(line, "Tgid: %d", &ret->tgid) == 1)
			has_tgid = true;
		else if (sscanf(line, "Uid: %u %u", &ret->uid, &ret->euid) == 2)
			has_uid = true;
		else if (!strncmp(line, "NSpid:", 6))
			ns_pids_parse(line + 6, ret);
		else if (!strncmp(line, "SigPnd:", 7))
			ret->is_killed = strtoull(line + 7, NULL, 16) >> (SIGKILL - 1) & 1;
	}
	free(line);
	fclose(f);
	return has_tgid && has_uid ? 0 : -ESRCH;
}

pid_t proc_live_thread(pid_t pid)
{
	char path[32];
	struct dirent *e;
	pid_t found = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	if (!d)
		return 0;
	while (!found && (e = readdir(d))) {
		struct proc_stat s;
		pid_t tid = (pid_t)atoi(e->d_name);

		if (tid > 0 && proc_stat_read(tid, &s) == 0 && !proc_stat_is_dead(&s))
			found = tid;
	}
	closedir(d);
	return found;
}

int proc_maps_open(struct proc_maps *m, pid_t pid)
{
	char path[32];

	memset(m, 0, sizeof(*m));
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	m->file = fopen(path, "re");
	return m->file ? 0 : -errno;
}

bool proc_maps_next(struct proc_maps *m, struct proc_map *ret)
{
	while (getline(&m->line, &m->cap, m->file) > 0) {
		int path_at = 0;

		if (sscanf(m->line,
			   "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*x:%*x %" SCNu64 " %n",
			   &ret->start, &ret->end, ret->perms, &ret->off, &ret->inode,
			   &path_at) < 5)
			continue;
		m->line[strcspn(m->line, "\n")] = 0;
		snprintf(ret->path, sizeof(ret->path), "%s", m->line + path_at);
		return true;
	}
	return false;
}

void proc_maps_close(struct proc_maps *m)
{
	free(m->line);
	if (m->file)
		fclose(m->file);
	m->file = NULL;
}

bool proc_is_ours(void)
{
	char self[32];
	ssize_t n = readlink("/proc/self", self, sizeof(self) - 1);

	if (n < 0)
		return false;
	self[n] = 0;
	return atoi(self) == getpid();
}

bool proc_hides(char *ret_word, size_t bytes)
{
	char *line = NULL;
	bool found = false;
	size_t cap = 0;
	FILE *f = fopen("/proc/self/mounts", "re");

	while (f && getline(&line, &cap, f) > 0) {
		char dir[256], type[32], options[512], *word;

		if (sscanf(line, "%*s %255s %31s %511s", dir, type, options) != 3)
			continue;
		if (strcmp(dir, "/proc") || strcmp(type, "proc"))
			continue;
		/* The last mount on /proc is the one that we see. */
		word = strstr(options, "hidepid=");
		found = word && strncmp(word, "hidepid=0", 9) && strncmp(word, "hidepid=off", 11);
		if (found) {
			word += strlen("hidepid=");
			word[strcspn(word, ",")] = 0;
			snprintf(ret_word, bytes, "%s", word);
		}
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}
