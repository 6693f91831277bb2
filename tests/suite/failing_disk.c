/* Loaded before the C library: once the file that KMS_DISK_FAILS names is there, no sync succeeds any more. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int fails(void) {
    const char *path = getenv("KMS_DISK_FAILS");
    return path && access(path, F_OK) == 0;
}

#define SYNC(name)                                                    \
    int name(int fd) {                                                \
        static int (*real)(int);                                      \
        if (fails()) {                                                \
            errno = EIO;                                              \
            return -1;                                                \
        }                                                             \
        if (!real)                                                    \
            real = (int (*)(int))dlsym(RTLD_NEXT, #name);             \
        return real(fd);                                              \
    }

SYNC(fsync)
SYNC(fdatasync)
