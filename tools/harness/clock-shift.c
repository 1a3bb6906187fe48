/*
 * Shifts the wall clock of one process: the linker loads this before libc (LD_PRELOAD). The file that CLOCK_SHIFT names
 * holds one signed 64-bit number of milliseconds, which is added to every reading. The file is mapped, so another
 * number acts at once. The monotonic clocks stay as they are. Every call is one that the C library exports, so nothing
 * here depends on the processor.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int (*real_clock_gettime)(clockid_t, struct timespec *);
static const volatile int64_t *shift_ms;

static int (*real(void))(clockid_t, struct timespec *) {
  if (real_clock_gettime == NULL)
    real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  return real_clock_gettime;
}

__attribute__((constructor)) static void map_shift(void) {
  const char *path = getenv("CLOCK_SHIFT");
  int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  void *mapped = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (mapped != MAP_FAILED) shift_ms = mapped;
}

static int shifted(clockid_t clock, struct timespec *time) {
  int result = real()(clock, time);
  if (result != 0 || shift_ms == NULL) return result;
  int64_t nanoseconds = time->tv_nsec + *shift_ms % 1000 * 1000000;
  int64_t seconds = *shift_ms / 1000 + nanoseconds / 1000000000;
  nanoseconds %= 1000000000;
  if (nanoseconds < 0) {
    nanoseconds += 1000000000;
    seconds -= 1;
  }
  time->tv_sec += seconds;
  time->tv_nsec = nanoseconds;
  return 0;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? shifted(clock, time) : real()(clock, time);
}

int gettimeofday(struct timeval *time, void *zone) {
  (void)zone;
  struct timespec now;
  if (shifted(CLOCK_REALTIME, &now) != 0) return -1;
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *into) {
  struct timespec now;
  if (shifted(CLOCK_REALTIME_COARSE, &now) != 0) return (time_t)-1;
  if (into != NULL) *into = now.tv_sec;
  return now.tv_sec;
}
