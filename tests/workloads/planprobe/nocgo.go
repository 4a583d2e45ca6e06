//go:build !withcgo

package main

func cgo() int { return 1 }
