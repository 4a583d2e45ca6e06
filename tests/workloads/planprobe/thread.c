//go:build withcgo

#include <pthread.h>
extern void goCallback(void);
static __thread long big[10];
static void *thread(void *a) { big[3] = 1; goCallback(); return (void *)big[2]; }
void run(void) { pthread_t t; pthread_create(&t, 0, thread, 0); pthread_join(t, 0); }
