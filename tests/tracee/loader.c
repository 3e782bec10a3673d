/* SPDX-License-Identifier: MIT */
/*
 * loader.c - a program that is no libgrt program until it loads the libraries it is given, says
 * "ready" and waits to be killed: for libraries that are replaced, and for two copies of one.
 *
 *   loader [LIBRARY...]
 */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!dlopen(argv[i], RTLD_NOW | RTLD_LOCAL)) {
			printf("cannot load: %s\n", dlerror());
			return 1;
		}
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
