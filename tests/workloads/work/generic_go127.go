//go:build go1.27

package work

import "sync"

func init() {
	Register("generic", "goroutines of a generic method of a generic type, whose name has two lists of type arguments", false, genericMethods)
}

type box[K any] struct {
	kept K
	done sync.WaitGroup
}

func (b *box[K]) keep[V any](k K, v V) {
	defer b.done.Done()
	b.kept = k
}

func genericMethods(r *Run) {
	var b box[int]
	var made int64
	pace := r.pacer()
	for !r.Over() {
		b.done.Add(1)
		go b.keep(int(made), "value")
		made++
		b.done.Wait()
		pace.wait()
	}
	r.Add("generic.created", made)
}
