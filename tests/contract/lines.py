"""Lines of shell that a real box runs and a dummy box has in its script."""

EAT_MEMORY = "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done"
COUNT = "i=0; while [ $i -lt 100000 ]; do echo line $i; i=$((i+1)); done"
WRITE_MEGABYTE = 'i=0; while [ $i -lt 1024 ]; do echo "$KILOBYTE"; i=$((i+1)); done > /big'
MISSING_COMMAND = "codegenapp-no-such-command"
