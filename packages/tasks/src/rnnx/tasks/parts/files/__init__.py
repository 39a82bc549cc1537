"""What tasks read: texts, tables, trees, images, features, data sets, and what is wrong in one."""
