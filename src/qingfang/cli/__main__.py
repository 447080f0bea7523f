from qingfang.cli import main

main()
