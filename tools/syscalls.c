/* SPDX-License-Identifier: MIT */
/* syscalls.c - see syscalls.h. */
#include "syscalls.h"

#include <stddef.h>
#include <string.h>
#include <sys/wait.h>

static const struct syscall_desc table[] = {
#define SYSCALL(nr, name, args) [nr] = { #name, args },
#include "syscalls_x86_64.def"
#undef SYSCALL
};

#define TABLE_LEN (int32_t)(sizeof(table) / sizeof(table[0]))

char syscall_letter(const struct syscall_desc *d, int i, const uint64_t *args)
{
	if (d->args[i] != 'i')
		return d->args[i];
	return args && i > 0 && args[i - 1] == P_PIDFD ? 'f' : 'd';
}

const struct syscall_desc *syscall_desc(int32_t nr)
{
	return nr >= 0 && nr < TABLE_LEN && table[nr].name ? &table[nr] : NULL;
}

int32_t syscall_nr(const char *name)
{
	for (int32_t nr = 0; nr < TABLE_LEN; nr++)
		if (table[nr].name && !strcmp(table[nr].name, name))
			return nr;
	return -1;
}
