//go:build cgo

package work

/*
#cgo LDFLAGS: -lpthread
#include "cgo_threads.h"
*/
import "C"

import (
	"sync/atomic"
	"time"
)

func init() {
	Register("cgo", "calls into C: short ones, ones that block, and C threads that call back into Go", true, cgo)
}

var called, calledByC int64

//export gotraceWorkCallback
func gotraceWorkCallback(fromThread C.int) {
	if fromThread != 0 {
		atomic.AddInt64(&calledByC, 1)
	} else {
		atomic.AddInt64(&called, 1)
	}
	if fromThread > 1 {
		time.Sleep(time.Microsecond) // a callback that blocks in Go
	}
}

func cgo(r *Run) {
	short, slept, threads := r.Count("cgo.calls"), r.Count("cgo.sleeps"), r.Count("cgo.threads")
	together(3, func(i int) {
		pace := r.pacer()
		for !r.Over() {
			switch i {
			case 0:
				for k := 0; k < 100; k++ {
					C.work_add(1, 2)
				}
				C.work_call_back(10)
				atomic.AddInt64(short, 101)
			case 1:
				C.work_sleep_us(2000)
				atomic.AddInt64(slept, 1)
			case 2:
				C.work_threads(3, 20)
				atomic.AddInt64(threads, 3)
				time.Sleep(5 * time.Millisecond)
			}
			pace.wait()
		}
	})
	r.Add("cgo.callbacks", atomic.LoadInt64(&called))
	r.Add("cgo.callbacks_from_threads", atomic.LoadInt64(&calledByC))
}
