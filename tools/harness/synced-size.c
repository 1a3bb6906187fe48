/*
 * Records how much of each append-only file of a Redis is on the disk: the linker loads this before libc (LD_PRELOAD).
 * Whenever a file whose name ends in .aof was synced, its size before that sync is written into <file>.synced, as one
 * signed 64-bit number. A power cut leaves at least that much of the file, and may leave no more.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char ending[] = ".aof";
static const char mark[] = ".synced";

/* The path of the mark of an open append-only file, or 0 if it is another file. */
static int mark_of(int file, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, PATH_MAX);
  if (length < (ssize_t)sizeof ending) return 0;
  if (memcmp(path + length - (sizeof ending - 1), ending, sizeof ending - 1) != 0) return 0;
  memcpy(path + length, mark, sizeof mark);
  return 1;
}

static int synced(int file, const char *name) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  char path[PATH_MAX + sizeof mark];
  struct stat before;
  int known = mark_of(file, path) && fstat(file, &before) == 0;
  int result = real(file);
  if (result != 0 || !known) return result;
  int kept = errno;
  int into = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (into >= 0) {
    int64_t size = before.st_size;
    if (pwrite(into, &size, sizeof size, 0) != sizeof size) unlink(path);
    close(into);
  }
  errno = kept;
  return result;
}

int fsync(int file) { return synced(file, "fsync"); }
int fdatasync(int file) { return synced(file, "fdatasync"); }
