function(boot){}
