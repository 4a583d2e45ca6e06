//go:build withcgo

package main

/*
#include <pthread.h>
extern void goCallback(void);

void run(void);
*/
import "C"

//export goCallback
func goCallback() {}

func cgo() int { C.run(); return 1 }
