//go:build cgo

#include <pthread.h>
#include <unistd.h>
#include "cgo_threads.h"
#include "_cgo_export.h"

int work_add(int a, int b) { return a + b; }

void work_sleep_us(int us) { usleep(us); }

void work_call_back(int n)
{
	for (int i = 0; i < n; i++)
		gotraceWorkCallback(0);
}

static void *run(void *calls)
{
	for (int i = 0; i < *(int *)calls; i++)
		gotraceWorkCallback(1 + i % 2);
	return 0;
}

void work_threads(int n, int calls)
{
	pthread_t t[16];
	int made = 0;

	while (made < n && made < 16 && pthread_create(&t[made], 0, run, &calls) == 0)
		made++;
	for (int i = 0; i < made; i++)
		pthread_join(t[i], 0);
}
