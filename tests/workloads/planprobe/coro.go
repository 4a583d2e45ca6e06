//go:build go1.23

package main

import "iter"

func extra() int {
	next, stop := iter.Pull(func(yield func(int) bool) {
		for i := 0; i < 20000 && yield(i); i++ {
		}
	})
	defer stop()
	s := 0
	for {
		v, ok := next()
		if !ok {
			return s + cgo()
		}
		s += v
	}
}
