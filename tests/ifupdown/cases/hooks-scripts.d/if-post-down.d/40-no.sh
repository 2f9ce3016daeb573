#!/bin/sh
note not a name for run-parts
